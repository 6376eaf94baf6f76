"""The photos of a data folder by the name that the card's folders know: see visavis/data/photos.py."""

from visavis.data.photos import SMALLEST, VISIBLE, Photo, Photos, labels_within, load_photos, worthwhile

__all__ = ["SMALLEST", "VISIBLE", "Photo", "Photos", "labels_within", "load_photos", "worthwhile"]
