"""Videos: files and cameras frame by frame, and faces followed from one searched frame to the next."""
