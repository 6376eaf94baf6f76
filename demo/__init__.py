"""All steps on a small set of real photos: `python -m demo`. The photos, their web site, and the steps."""
