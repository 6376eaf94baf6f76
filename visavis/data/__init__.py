"""A data folder as it is read: its tables, the photos and labels that they list, and its parts for training and
validation."""
