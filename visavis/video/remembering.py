"""What is known of each face from one look at a scene to the next, for what must not flicker or jitter.

A face is the same where its boxes overlap: looks follow each other soon. Who goes where in a video that is looked at
now and then is for tracking.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, iou

SAME = 0.3
"""IoU of boxes in two looks from which on they are of one face."""

Known = TypeVar("Known")


@dataclass
class _Seen(Generic[Known]):
    """A face: its last box, when that was, and what is known of it."""

    box: NDArray[np.float32]
    seconds: float
    known: Known


class Remembered(Generic[Known]):
    """The faces of one scene, look by look.

    begin: makes what is known of a new face. forgotten: seconds after which a face that is not seen any more is a new
    one.
    """

    def __init__(self, begin: Callable[[], Known], forgotten: float) -> None:
        self._begin, self._forgotten = begin, forgotten
        self._seen: list[_Seen[Known]] = []

    def look(self, boxes: Boxes, seconds: float) -> list[Known]:
        """What is known of each face of a look at that time; whoever learns more changes it in place."""
        from scipy.optimize import linear_sum_assignment

        alive = [one for one in self._seen if 0 <= seconds - one.seconds <= self._forgotten]
        now = [_Seen(box, seconds, self._begin()) for box in boxes]
        went_on = set()
        overlaps = iou(as_boxes([one.box for one in alive]), boxes)
        for old, face in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[old, face] >= SAME:
                now[face].known = alive[old].known
                went_on.add(int(old))
        self._seen = now + [one for number, one in enumerate(alive) if number not in went_on]
        return [one.known for one in now]
