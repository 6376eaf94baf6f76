"""Mask, age and gender of a face, by one small network with three heads: one look gives all three."""
