"""Mask, age and gender of a face, by one small network with three heads, or by one network each."""
