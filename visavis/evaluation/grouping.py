"""How well faces were grouped by person: the shares of pairs and of faces that are together rightly.

B-cubed (Bagga and Baldwin, "Entity-Based Cross-Document Coreferencing Using the Vector Space Model", 1998): of each
face, which share of its group is the same person, and which share of the person's faces is in its group; the mean over
the faces. Pairs weigh large groups by the square of their size, and B-cubed by their size.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.neighbours import nearest_stranger

SIZES = (100, 300, 1000, 3000, 10_000, 30_000)
"""Faces in an album: for each, how many of a thousand are matched falsely."""

FIGURES = tuple(f"{name}_{what}" for name in ("pairs", "bcubed") for what in ("precision", "recall", "f1"))
"""What `agreement` gives."""


def agreement(people: Sequence[Any] | NDArray[Any], groups: Sequence[Any] | NDArray[Any]) -> dict[str, float]:
    """Precision, recall and F1 of pairs and by B-cubed. people, groups: (N,) who each face is, and its group.

    Without any pair that is together (or that should be), the precision (or recall) of pairs is 1.
    """
    _, person, of_person = np.unique(np.asarray(people), return_inverse=True, return_counts=True)
    _, group, of_group = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    cells, both = np.unique(np.stack([person, group]), axis=1, return_counts=True)
    together, truth, said = (float((count * (count - 1)).sum()) for count in (both, of_person, of_group))
    pairs = (together / said if said else 1.0), (together / truth if truth else 1.0)
    faces = max(1, len(person))
    cubed = (both**2 / of_group[cells[1]]).sum() / faces, (both**2 / of_person[cells[0]]).sum() / faces
    values = (*pairs, _f1(*pairs), *cubed, _f1(*cubed))
    return {name: float(value) for name, value in zip(FIGURES, values, strict=True)}


def false_matches(
    encodings: NDArray[np.float32], people: Sequence[Any] | NDArray[Any], tolerance: float, seed: int = 0
) -> dict[int, float]:
    """Faces in a thousand that have another person's face within the tolerance, by the size of the album: random
    parts of the faces, and all of them."""
    dice, who = np.random.default_rng(seed), np.asarray(people)
    found = {}
    for size in sorted({*(size for size in SIZES if size < len(who)), len(who)}):
        some = dice.permutation(len(who))[:size]
        found[size] = 1000 * float((nearest_stranger(encodings[some], who[some]) <= tolerance).mean())
    return found


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
