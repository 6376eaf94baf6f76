"""Train, validation and test by identity: nobody is on two sides, and more data moves nobody."""

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from visavis.errors import InputError
from visavis.options import Share

Split = Literal["train", "val", "test", "all"]
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class Shares:
    """How the photos are parted, by identity: training gets what validation and test leave."""

    val: Share = 0.1
    """Share of the identities that is kept for validation, 0 to 1; the same for all commands."""
    test: Share = 0.1
    """Share of the identities that is kept out of training and validation, for evaluate.py --split test."""

    def side(self, place: float) -> str:
        """The part that a place in 0..1 lies in. Raises InputError for shares that cannot be."""
        if not (self.val >= 0 and self.test >= 0 and self.val + self.test <= 1):
            raise InputError(f"`val` {self.val:g} `test` {self.test:g}: give shares of 0 to 1 that add up to 1 at most")
        if place < self.val:
            return "val"
        return "test" if place < self.val + self.test else "train"


def split_of(identity: str, image_id: str, shares: Shares = Shares()) -> str:
    """`train`, `val` or `test` for a photo of `identity`; a photo without one stands for itself.

    A hash of the name decides, so that the answer depends on nothing else. For photos that look alike see `sides`.
    Raises InputError for shares that are no shares.
    """
    digest = hashlib.sha256((identity or image_id).encode()).digest()
    return shares.side(int.from_bytes(digest[:8], "big") / 2**64)


def sides(identities: dict[str, str], groups: dict[str, str], shares: Shares = Shares()) -> dict[str, str]:
    """image_id -> `train`, `val`, `test`, or `` for a photo that may be on no side.

    identities: of every photo, by image_id; `` where there is none. groups: image_id -> the name of its group, for
    photos that look alike (groups.csv). A group follows its first photo by name. A photo of somebody who belongs on
    another side than its group does is on none: there it would bring either the photo or the person to two sides.
    """
    first_of: dict[str, str] = {}
    for image_id in sorted(identities):
        if image_id in groups:
            first_of.setdefault(groups[image_id], image_id)
    found = {}
    for image_id, identity in identities.items():
        first = first_of[groups[image_id]] if image_id in groups else image_id
        side = split_of(identities[first], first, shares)
        found[image_id] = side if not identity or split_of(identity, image_id, shares) == side else ""
    return found
