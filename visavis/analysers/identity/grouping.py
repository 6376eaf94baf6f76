"""Faces grouped by person, without names: average linkage on the graph of each face's nearest others.

The two groups that are nearest to each other are joined, again and again, until the root mean square of the distances
between the faces of any two is above the tolerance, which is lower for small groups. It follows from the groups' means
and spreads, and only groups are compared of which some faces are near, so neither memory nor time grows with the square
of the number of faces.
scikit-learn and SciPy have average linkage on the matrix of all distances: 10 GB for 50,000 faces.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.identity.neighbours import links

NEIGHBOURS = 50
"""Nearest others of a face that may link it with a group."""
NOBODY = -1
HIGHEST = 0.6
"""The tolerance for few faces: above it, people were mixed in parts of any size."""
STRICTER = 0.1
"""The tolerance between groups of A and B faces is lower by this, divided by A times B: a mean of many distances is
seldom low by chance, while two strangers of an album who look alike are common."""


def tolerance_for(faces: int) -> float:
    """The tolerance for so many faces, of the encodings of face_recognition: among more faces, more strangers are near
    to each other by chance, so it falls with their number, by 0.029 for ten times as many.

    Chosen on parts of Labeled Faces in the Wild of 100 to 3,800 faces, somewhat below what is best by B-cubed F1:
    two folders of one person are sooner joined by hand than one of two people is taken apart (docs/identity.md).
    """
    return min(HIGHEST, 0.65 - 0.029 * math.log10(max(1, faces)))


def grouped(
    encodings: Encodings,
    tolerance: float,
    before: Sequence[int] | NDArray[np.int64] | None = None,
    photos: Sequence[int] | NDArray[np.int64] | None = None,
    first: int = 0,
) -> NDArray[np.int64]:
    """(N,) the group of each face, `NOBODY` where its encoding is NaN. New groups have the numbers from `first` on, or
    after the highest of those before if that is more, in the order of their first faces.

    encodings: (N, size). tolerance: Euclidean distance, between large groups (see `STRICTER`). before: (N,) the group
    that each face has already, or `NOBODY`: these keep it, and no two of these groups are joined. photos: (N,) in which
    photo each is: nobody is twice in one.
    """
    given = np.full(len(encodings), NOBODY, np.int64) if before is None else np.asarray(before, np.int64)
    photo = np.arange(len(encodings)) if photos is None else np.asarray(photos)
    known = np.flatnonzero(~np.isnan(encodings).any(axis=1))
    clusters = _Clusters(np.asarray(encodings[known], np.float32), given[known], photo[known], tolerance)
    clusters.join()
    groups, following = given.copy(), max(first, int(given.max(initial=NOBODY)) + 1)
    numbers: dict[int, int] = {}
    for face, cluster in zip(known.tolist(), clusters.of_faces.tolist(), strict=True):
        own = int(clusters.given[cluster])
        groups[face] = own if own != NOBODY else numbers.setdefault(cluster, following + len(numbers))
    return groups


def apart(encodings: Encodings, groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) how far each face is from the others of its group, the root mean square; NaN where it is alone.

    encodings: (N, size), none NaN. groups: (N,).
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes, means, spreads = _moments(encodings, group)
    away = encodings - means[group]
    squares = np.einsum("nd,nd->n", away, away) + spreads[group]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sizes[group] > 1, np.sqrt(squares * sizes[group] / (sizes[group] - 1)), np.nan)


def alike(encodings: Encodings, groups: NDArray[np.int64], tolerance: float) -> list[tuple[int, int]]:
    """Pairs of groups that are within the tolerance of each other, the nearest first: perhaps one person is both.

    encodings: (N, size), none NaN. groups: (N,).
    """
    names, group = np.unique(groups, return_inverse=True)
    _, means, spreads = _moments(encodings, group)
    here, there = links(means, tolerance, NEIGHBOURS)
    between = means[here] - means[there]
    squares = np.einsum("nd,nd->n", between, between) + spreads[here] + spreads[there]
    order = np.argsort(squares, kind="stable")
    near = order[(squares[order] <= tolerance**2) & (here[order] < there[order])]
    return [(int(names[here[pair]]), int(names[there[pair]])) for pair in near]


class _Clusters:
    """Clusters of faces, joined by following nearest neighbours until two are each other's (Murtagh, "A Survey of
    Recent Advances in Hierarchical Clustering Algorithms", 1983): for this linkage that gives the same groups as always
    joining the two that are nearest of all.

    given: the group that a cluster was before, or NOBODY.
    """

    def __init__(
        self, encodings: Encodings, before: NDArray[np.int64], photos: NDArray[np.int64], tolerance: float
    ) -> None:
        start, self.given = _start(before)
        count = len(self.given)
        self._start, self._tolerance = start, tolerance
        self._sizes, self._means, self._spreads = _moments(encodings, start)
        self._photos: list[set[int]] = [set() for _ in range(count)]
        for cluster, photo in zip(start.tolist(), photos.tolist(), strict=True):
            self._photos[cluster].add(photo)
        self._now = np.arange(count)
        """The cluster that each of the first ones is in by now, which has the number of one of them."""
        self._members = [[cluster] for cluster in range(count)]
        self._near = _near(links(encodings, tolerance, NEIGHBOURS), start, count)

    @property
    def of_faces(self) -> NDArray[np.int64]:
        """(N,) the cluster of each face."""
        return self._now[self._start]

    def join(self) -> None:
        """Join clusters until none is within the limit of another."""
        waiting = list(range(len(self.given)))[::-1]
        while waiting:
            chain = [waiting.pop()]
            if self._now[chain[0]] != chain[0]:
                continue
            while chain:
                nearest = self._nearest(chain[-1], chain[-2] if len(chain) > 1 else None)
                if nearest is None:
                    break
                if len(chain) > 1 and nearest == chain[-2]:
                    waiting.append(self._joined(chain.pop(), chain.pop()))
                else:
                    chain.append(nearest)

    def _nearest(self, cluster: int, first: int | None) -> int | None:
        """The nearest cluster with which this one may be joined; None where none is within the limit. first: which one
        to take where several are as near."""
        others = np.unique(self._now[self._near[cluster]])
        others = others[others != cluster]
        self._near[cluster] = others
        between = self._means[others] - self._means[cluster]
        # Spreads are added first: so the sum is the same to the last digit from either side, and no chain is a circle.
        apart = np.einsum("nd,nd->n", between, between) + (self._spreads[others] + self._spreads[cluster])
        tolerances = self._tolerance - STRICTER / (self._sizes[others] * self._sizes[cluster])
        near = apart <= tolerances.clip(0) ** 2
        others, apart = others[near], apart[near]
        for place in np.lexsort((others != first, apart)):
            if self._may_join(cluster, other := int(others[place])):
                return other
        return None

    def _may_join(self, one: int, other: int) -> bool:
        both_given = self.given[one] != NOBODY and self.given[other] != NOBODY
        return not both_given and self._photos[one].isdisjoint(self._photos[other])

    def _joined(self, one: int, other: int) -> int:
        """Join two clusters, and return the number of both."""
        if len(self._members[one]) < len(self._members[other]):
            one, other = other, one
        whole = self._sizes[one] + self._sizes[other]
        share = self._sizes[other] / whole
        between = self._means[other] - self._means[one]
        self._spreads[one] += share * (self._spreads[other] - self._spreads[one])
        self._spreads[one] += share * (1 - share) * (between @ between)
        self._means[one] += share * between
        self._sizes[one] = whole
        self._photos[one] |= self._photos[other]
        self._members[one] += self._members[other]
        self._near[one] = np.concatenate([self._near[one], self._near[other]])
        self._now[self._members[other]] = one
        self.given[one] = max(self.given[one], self.given[other])
        self._photos[other], self._members[other], self._near[other] = set(), [], self._near[other][:0]
        return one


def _moments(
    encodings: Encodings, group: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Of the groups 0 to G - 1: how many faces each has, their mean (G, size), and the mean of the squared distances
    from it. group: (N,) of each face."""
    count = int(group.max(initial=-1)) + 1
    sizes = np.bincount(group, minlength=count).astype(np.float32)
    means = np.zeros((count, encodings.shape[1]), np.float32)
    np.add.at(means, group, encodings)
    means /= sizes[:, None]
    away = encodings - means[group]
    spreads = np.bincount(group, np.einsum("nd,nd->n", away, away), count) / sizes
    return sizes, means, spreads.astype(np.float32)


def _start(before: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) the first cluster of each face, and (C,) the group that each of these is, or NOBODY: a cluster a group, and
    one for each face without a group."""
    groups, start = np.unique(before, return_inverse=True)
    alone = before == NOBODY
    groups, start = groups[groups != NOBODY], start - bool(alone.any())
    start[alone] = len(groups) + np.arange(alone.sum())
    return start, np.concatenate([groups, np.full(alone.sum(), NOBODY)]).astype(np.int64)


def _near(
    linked: tuple[NDArray[np.int32], NDArray[np.int32]], start: NDArray[np.int64], count: int
) -> list[NDArray[np.int32]]:
    """The clusters with which each is linked, in either direction."""
    here, there = (start[side].astype(np.int32) for side in linked)
    both = np.concatenate([here, there]), np.concatenate([there, here])
    order = np.argsort(both[0], kind="stable")
    edges = np.searchsorted(both[0][order], np.arange(1, count))
    return [one.copy() for one in np.split(both[1][order], edges)] if count else []
