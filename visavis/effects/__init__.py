"""What is done to faces in a picture, one file an effect: callables `(image, faces) -> image`."""
