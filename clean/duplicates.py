"""The same photo twice: one of each is kept. The same is the same bytes; look-alikes are not sought here."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A photo that nothing else speaks against. quality: how well it is labelled, compared from the left."""

    image_id: str
    identity: str
    sha256: str
    quality: tuple[float, ...] = ()


def judge(candidates: Iterable[Candidate]) -> dict[str, tuple[bool, str]]:
    """image_id -> (keep, detail) for every photo whose bytes come twice; the others are not in it.

    The best-labelled one is kept, the first by name where they are equal. Where the copies bear
    different identities, no more than one of the names is right: the one kept serves for detection,
    and its detail says that it does not for identity.
    """
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.sha256].append(candidate)
    verdicts: dict[str, tuple[bool, str]] = {}
    for group in groups.values():
        if len(group) == 1:
            continue
        best, *rest = sorted(group, key=lambda one: ([-value for value in one.quality], one.image_id))
        strangers = [one.image_id for one in rest if one.identity != best.identity]
        doubt = f"same bytes as {', '.join(strangers)} of another identity: for detection, not for identity"
        verdicts[best.image_id] = (True, doubt if strangers else "")
        for one in rest:
            whose = "" if one.identity == best.identity else " of another identity"
            verdicts[one.image_id] = (False, f"same bytes as {best.image_id}{whose}, which is kept")
    return verdicts
