"""The nearest faces of each face, block by block: memory grows with the faces, and not with their square."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.encoding import Encodings

CELLS = 4_000_000
"""Distances that are in memory at a time: 16 MB, and as much again for which of them are small."""

Links = tuple[NDArray[np.int32], NDArray[np.int32]]
"""(K,) the numbers of two faces that are near to each other, each pair once or twice."""


def links(encodings: Encodings, within: float, most: int) -> Links:
    """Each face and its nearest others up to this Euclidean distance, `most` of them at most.

    encodings: (N, size), none NaN.
    """
    found: list[Links] = []
    for first, squares in _blocks(encodings):
        rows = np.arange(len(squares))
        squares[rows, first + rows] = np.inf  # oneself
        near = squares <= within**2
        counts = near.sum(axis=1)
        for row in np.flatnonzero(counts > most):  # few: somebody in very many photos
            some = np.flatnonzero(near[row])
            near[row, some[np.argpartition(squares[row, some], most)[most:]]] = False
        here, there = np.nonzero(near)
        found.append(((here + first).astype(np.int32), there.astype(np.int32)))
    none = np.zeros(0, np.int32)
    return (
        np.concatenate([none, *(here for here, _ in found)]),
        np.concatenate([none, *(there for _, there in found)]),
    )


def nearest_stranger(encodings: Encodings, people: NDArray[Any]) -> NDArray[np.float32]:
    """(N,) the distance of each face from the nearest one of somebody else, infinite where there is none.

    people: (N,) who each is.
    """
    _, who = np.unique(people, return_inverse=True)
    found = np.full(len(encodings), np.inf, np.float32)
    for first, squares in _blocks(encodings):
        squares[who[first : first + len(squares), None] == who[None]] = np.inf
        found[first : first + len(squares)] = np.sqrt(squares.min(axis=1, initial=np.inf))
    return found


def _blocks(encodings: Encodings) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The squared distances of some faces from all, and the number of the first of them."""
    lengths = np.einsum("nd,nd->n", encodings, encodings)
    rows = max(1, CELLS // max(1, len(encodings)))
    for first in range(0, len(encodings), rows):
        some = slice(first, first + rows)
        block = encodings[some] @ encodings.T
        block *= -2
        block += lengths[some, None]
        block += lengths
        yield first, np.maximum(block, 0, out=block)
