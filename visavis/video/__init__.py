"""Moving pictures: files and cameras frame by frame, and faces followed from one look to the next."""
