"""Duplicates: one of several copies of a photo is kept. And groups: photos that must stay in the same split.

Copies have the same bytes or look the same (`clean.likeness`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from clean import likeness
from clean.likeness import SAME, Likeness
from clean.shelf import Shelf

_BYTES, _LOOK = "same bytes as", "same look as"


@dataclass(frozen=True)
class Candidate:
    """A photo that passed all other checks. quality: how well it is labelled, compared from the left."""

    image_id: str
    identity: str
    sha256: str
    quality: tuple[float, ...] = ()
    likeness: Likeness | None = None


@dataclass(frozen=True)
class Duplicates:
    """verdicts: image_id -> (keep, detail) of every photo with copies.

    kept_for: image_id of each copy that is not kept -> the one that is kept instead.
    groups: image_id -> the first, by name, of the photos that are the same or look alike, also of those that do not
    look alike enough to drop one.
    """

    verdicts: dict[str, tuple[bool, str]]
    kept_for: dict[str, str]
    groups: dict[str, str]


def judge(candidates: Iterable[Candidate]) -> Duplicates:
    """Find duplicates. candidates: in the order of their image_ids.

    Memory holds about fifty bytes per candidate, and more of duplicates.

    The best-labelled copy is kept, the first by name if several are equal. If copies have different identities, at most
    one of the names is right: the one kept serves for detection, and its detail says that it does not for identity.
    """
    ordered = _best_first(Shelf(candidates))
    alike = _alike(ordered)
    kept: dict[int, list[int]] = {}  # -> those dropped for it
    why: dict[int, tuple[int, str]] = {}
    for number in sorted(alike):
        # A dropped photo must look like the one that is kept for it; a chain of similar photos does not count.
        # Equal bytes, though, are always treated alike.
        same = [(other, how) for other, value, how in alike[number] if other in kept and value >= SAME]
        same += [why[other] for other, _, how in alike[number] if how == _BYTES and other in why]
        if same:
            why[number] = min(same)
            kept[min(same)[0]].append(number)
        else:
            kept[number] = []
    verdicts: dict[str, tuple[bool, str]] = {}
    kept_for: dict[str, str] = {}
    for number, dropped in kept.items():
        if not dropped:
            continue
        best, others = ordered[number], {one: ordered[one] for one in dropped}
        strangers = [(why[one][1], other.image_id) for one, other in others.items() if other.identity != best.identity]
        said = "; ".join(f"{how} {image_id}" for how, image_id in strangers)
        verdicts[best.image_id] = (True, f"{said} of another identity: for detection, not for identity" if said else "")
        for one, other in others.items():
            whose = "" if other.identity == best.identity else " of another identity"
            verdicts[other.image_id] = (False, f"{why[one][1]} {best.image_id}{whose}, which is kept")
            kept_for[other.image_id] = best.image_id
    return Duplicates(verdicts, kept_for, _groups(ordered, alike))


def _best_first(some: Shelf[Candidate]) -> Shelf[Candidate]:
    if not some:
        return some
    qualities = np.array([one.quality for one in some], np.float32)
    return Shelf(some[number] for number in np.lexsort(-qualities.T[::-1]).tolist()) if qualities.size else some


def _alike(ordered: Sequence[Candidate]) -> dict[int, list[tuple[int, float, str]]]:
    """For each photo that looks like others, these: (number, correlation, how). The first of equal bytes stands for
    all of them."""
    alike: dict[int, list[tuple[int, float, str]]] = defaultdict(list)
    digests = np.fromiter((hash(one.sha256) for one in ordered), np.int64, len(ordered))
    _, firsts, which = np.unique(digests, return_index=True, return_inverse=True)
    for number in np.flatnonzero(firsts[which] != np.arange(len(ordered))).tolist():
        first = int(firsts[which[number]])
        if ordered[first].sha256 == ordered[number].sha256:
            alike[number].append((first, 1.0, _BYTES))
            alike.setdefault(first, [])
    seen = [number for number in np.sort(firsts).tolist() if ordered[number].likeness is not None]
    likes = Shelf(like for number in seen if (like := ordered[number].likeness) is not None)
    for first, second, value in likeness.pairs(likes):
        one, two = seen[first], seen[second]
        alike[one].append((two, value, _LOOK))
        alike[two].append((one, value, _LOOK))
    return alike


def _groups(ordered: Sequence[Candidate], alike: dict[int, list[tuple[int, float, str]]]) -> dict[str, str]:
    """image_id -> the name of its group, for every photo that looks like another, directly or by way of others."""
    root = {number: number for number in alike}

    def leader(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for number, others in alike.items():
        for other, _, _ in others:
            root[leader(number)] = leader(other)
    members: dict[int, list[str]] = defaultdict(list)
    for number in alike:
        members[leader(number)].append(ordered[number].image_id)
    return {image_id: min(group) for group in members.values() for image_id in group}
