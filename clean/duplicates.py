"""The same photo several times: one of each is kept. And which photos must stay on one side of a split.

The same is the same bytes, or the same look (`clean.likeness`).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from clean import likeness
from clean.likeness import SAME, Likeness

_BYTES, _LOOK = "same bytes as", "same look as"


@dataclass(frozen=True)
class Candidate:
    """A photo that nothing else speaks against. quality: how well it is labelled, compared from the left."""

    image_id: str
    identity: str
    sha256: str
    quality: tuple[float, ...] = ()
    likeness: Likeness | None = None


@dataclass(frozen=True)
class Duplicates:
    """verdicts: image_id -> (keep, detail) for every photo that comes more than once; the others are not in it.

    kept_for: image_id of each that is not kept -> the one kept for it.
    groups: image_id -> the first, by name, of the photos that are the same or nearly so; as in `verdicts`, and
    also those too unlike to drop one of them.
    """

    verdicts: dict[str, tuple[bool, str]]
    kept_for: dict[str, str]
    groups: dict[str, str]


def judge(candidates: Iterable[Candidate]) -> Duplicates:
    """Find those that come more than once.

    The best-labelled one is kept, the first by name where they are equal. Where the copies bear
    different identities, no more than one of the names is right: the one kept serves for detection,
    and its detail says that it does not for identity.
    """
    ordered = sorted(candidates, key=lambda one: ([-value for value in one.quality], one.image_id))
    alike = _alike(ordered)
    kept: dict[int, list[int]] = {}  # -> those dropped for it
    why: dict[int, tuple[int, str]] = {}
    for number in range(len(ordered)):
        # Not whatever a chain of likenesses leads to: it has to be like the one that is kept for it.
        # Equal bytes, though, share one fate.
        same = [(other, how) for other, value, how in alike[number] if other in kept and value >= SAME]
        same += [why[other] for other, _, how in alike[number] if how == _BYTES and other in why]
        if same:
            why[number] = min(same)
            kept[min(same)[0]].append(number)
        else:
            kept[number] = []
    verdicts: dict[str, tuple[bool, str]] = {}
    for number, dropped in kept.items():
        if not dropped:
            continue
        best = ordered[number]
        strangers = [(why[one][1], ordered[one].image_id) for one in dropped if ordered[one].identity != best.identity]
        said = "; ".join(f"{how} {image_id}" for how, image_id in strangers)
        verdicts[best.image_id] = (True, f"{said} of another identity: for detection, not for identity" if said else "")
        for one in dropped:
            whose = "" if ordered[one].identity == best.identity else " of another identity"
            verdicts[ordered[one].image_id] = (False, f"{why[one][1]} {best.image_id}{whose}, which is kept")
    kept_for = {ordered[one].image_id: ordered[best].image_id for best, dropped in kept.items() for one in dropped}
    return Duplicates(verdicts, kept_for, _groups(ordered, alike))


def _alike(ordered: list[Candidate]) -> dict[int, list[tuple[int, float, str]]]:
    """For each photo those like it: (number, correlation, how). Of equal bytes the first stands for all."""
    first_of: dict[str, int] = {}
    alike: dict[int, list[tuple[int, float, str]]] = defaultdict(list)
    for number, one in enumerate(ordered):
        first = first_of.setdefault(one.sha256, number)
        if first != number:
            alike[number].append((first, 1.0, _BYTES))
    seen = [(number, like) for number in first_of.values() if (like := ordered[number].likeness) is not None]
    for first, second, value in likeness.pairs([like for _, like in seen]):
        one, two = seen[first][0], seen[second][0]
        alike[one].append((two, value, _LOOK))
        alike[two].append((one, value, _LOOK))
    return alike


def _groups(ordered: list[Candidate], alike: dict[int, list[tuple[int, float, str]]]) -> dict[str, str]:
    """image_id -> the name of its group, for every photo that any other is like, over any number of steps."""
    root = list(range(len(ordered)))

    def leader(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = root[number]
        return number

    for number, others in list(alike.items()):
        for other, _, _ in others:
            root[leader(number)] = leader(other)
    members: dict[int, list[str]] = defaultdict(list)
    for number, one in enumerate(ordered):
        members[leader(number)].append(one.image_id)
    return {image_id: min(group) for group in members.values() if len(group) > 1 for image_id in group}
