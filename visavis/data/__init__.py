"""A data folder as it is read: its tables, the photos and labels that they tell of, and its parts for training and
validation."""
