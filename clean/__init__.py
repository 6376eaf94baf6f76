"""What is not worth training on: a verdict on each downloaded photo, and the faces that the list does not name."""
