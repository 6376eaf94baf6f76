"""Sliding windows over labelled photos: which sizes and strides reach the faces, and what is learnt from them."""
