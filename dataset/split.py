"""Train, validation and test by identity: nobody is on two sides, and more data moves nobody."""

import hashlib
from dataclasses import dataclass

SPLITS = ("train", "val", "test", "all")


@dataclass(frozen=True)
class Shares:
    """How much goes to validation and test, 0..1 of the identities; the rest is for training."""

    val: float = 0.1
    test: float = 0.1


def split_of(identity: str, image_id: str, shares: Shares = Shares()) -> str:
    """`train`, `val` or `test` for a photo of `identity`; a photo without one stands for itself.

    A hash of the name decides, so that the answer depends on nothing else.
    """
    digest = hashlib.sha256((identity or image_id).encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    if place < shares.val:
        return "val"
    return "test" if place < shares.val + shares.test else "train"
