"""What an encoder is, and how far two faces are apart. The registry is encoders.py."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.faces import Faces
from visavis.images import Picture

Encodings = NDArray[np.float32]
"""(N, size): a row a face, NaN where none could be made. Faces of one person are near to each other."""


class Encoder(Protocol):
    """Makes numbers of faces by which they can be compared."""

    name: str
    """Its name in `ENCODERS`, a slash, and its version: encodings of two names cannot be compared with each other."""
    size: int
    """How many numbers it makes of a face."""

    def encode(self, picture: Picture, faces: Faces) -> Encodings:
        """The encodings of the faces, in their order.

        picture: (height, width, 3) uint8 RGB, at full size; boxes are in its pixels and may reach outside it.
        """
        ...


def distances(some: Encodings, others: Encodings) -> NDArray[np.float32]:
    """(N, M) Euclidean distances of (N, size) and (M, size) encodings; NaN where one is not known."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :] - 2 * some @ others.T
    return np.sqrt(np.maximum(squares, 0))
