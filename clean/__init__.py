"""Judges each downloaded photo, whether it is fit for training, and finds the faces that the list does not label."""
