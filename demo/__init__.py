"""The road on a small set of real photos: `python -m demo`. Its photos, its web site, and the walk itself."""
