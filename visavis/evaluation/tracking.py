"""How well people are followed through a video: IDF1 and identity switches.

A look is a pair of a truth's faces and those found, each with a number a person; looks are in the order of their times.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, iou

SAME = 0.5
"""IoU of a found face with a true one, from which on it counts as that face."""


@dataclass(frozen=True)
class Look:
    """The faces of one frame.

    truth, found: (N, 4) and (M, 4), pixels. people, tracks: (N,) and (M,), the numbers of those whose faces they are.
    """

    truth: Boxes
    people: NDArray[np.int64]
    found: Boxes
    tracks: NDArray[np.int64]


def idf1(looks: Sequence[Look], same: float = SAME) -> float:
    """The share of faces whose person is right: 2 IDTP / (2 IDTP + IDFP + IDFN), NaN where there is no face at all.

    Each person is given at most one track, and each track at most one person, so that as many faces as possible are
    right over the whole video (Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
    Tracking", 2016, section 3).
    """
    from scipy.optimize import linear_sum_assignment

    together: Counter[tuple[int, int]] = Counter()
    for look in looks:
        for one, other in np.argwhere(iou(look.truth, look.found) >= same):
            together[int(look.people[one]), int(look.tracks[other])] += 1
    faces = sum(len(look.people) + len(look.tracks) for look in looks)
    if not faces:
        return float("nan")
    people, tracks = (sorted({pair[side] for pair in together}) for side in (0, 1))
    counts = np.array([[together[one, other] for other in tracks] for one in people]).reshape(len(people), len(tracks))
    right = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return float(2 * right / faces)


def switches(looks: Sequence[Look], same: float = SAME) -> int:
    """How often the track of a person who is found is another than the last time (mismatches of CLEAR MOT: Bernardin
    and Stiefelhagen, "Evaluating Multiple Object Tracking Performance", 2008, section 2.1.3).

    At each look a person keeps the track of the look before where their boxes still overlap; the others are matched for
    the largest overlap in all.
    """
    from scipy.optimize import linear_sum_assignment

    last: dict[int, int] = {}
    count = 0
    for look in looks:
        overlaps = iou(look.truth, look.found)
        matched: dict[int, int] = {}
        for one, person in enumerate(look.people.tolist()):
            kept = np.flatnonzero((look.tracks == last.get(person, -1)) & (overlaps[one] >= same))
            if len(kept) and int(kept[0]) not in matched.values():
                matched[one] = int(kept[0])
        free = np.where(overlaps >= same, overlaps, 0)
        free[list(matched)], free[:, list(matched.values())] = 0, 0
        for one, other in zip(*linear_sum_assignment(free, maximize=True), strict=True):
            if free[one, other] > 0:
                matched[int(one)] = int(other)
        for one, other in matched.items():
            person, track = int(look.people[one]), int(look.tracks[other])
            count += last.get(person, track) != track
            last[person] = track
    return count
