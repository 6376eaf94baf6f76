"""Photos and labels of the data folder, and what a detector learns from them."""
