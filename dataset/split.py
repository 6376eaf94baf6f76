"""Training, validation and test parts by the name that the card's folders know: see visavis/data/split.py."""

from visavis.data.split import SPLITS, Shares, Split, sides, split_of

__all__ = ["SPLITS", "Shares", "Split", "sides", "split_of"]
