"""Where faces may be besides what two searched frames show (spans.py): missed for a while, on their way out, or coming.

All this only adds to what is covered. Faces are followed (tracking.py), whatever their scores: for a face that was
found before and after, the straight way between is covered; for one that is found no more, or not yet, the way on which
it was going, up to the next searched frame, and as far as the exit if it leads out of the picture soon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.boxes import Boxes, as_boxes, covered, grow
from visavis.faces import Faces
from visavis.video.tracking import Tracker

KEPT, MISSES = 1.0, 2
"""Seconds, and searched frames at least, for which a missed face is waited for before frames are written without it."""
AHEAD = 0.35
"""Seconds for which frames wait in any case: a face that comes is found only when most of it is in the picture."""
EXIT = 1.0
"""Seconds within which a face must leave the picture at its speed, for its way to be covered as far as the exit."""
MARGIN = 0.2
"""Share of its size by which a face is grown at each side where its way is only supposed."""

_Box = NDArray[np.float64]


@dataclass(frozen=True)
class _Sighting:
    seconds: float
    box: _Box


class Cover:
    """The faces of one video: tell it each searched frame in turn (`look`), and ask for what to cover in between."""

    def __init__(self) -> None:
        self._tracker = Tracker(KEPT, MISSES)
        self._seen: dict[int, list[_Sighting]] = {}
        self._looks: list[float] = []
        self._size = (0, 0)

    def look(self, faces: Faces, seconds: float, size: tuple[int, int]) -> None:
        """A searched frame of that size, (height, width), its time, and all that was found in it."""
        for number, box in zip(self._tracker.follow(faces, seconds), faces.boxes.astype(np.float64), strict=True):
            self._seen.setdefault(int(number), []).append(_Sighting(seconds, box))
        self._looks.append(seconds)
        self._size = size

    def is_settled(self, start: float) -> bool:
        """Whether what is to be covered from the searched frame at `start` to the next depends on none to come: that
        is long enough ago, no face that was found before is still waited for, and none has just come, whose way is not
        known yet."""
        now, after = self._looks[-1], self._next(start)
        if now - after < AHEAD:
            return False
        for sightings in self._seen.values():
            last = sightings[-1].seconds
            if last <= start and sightings[0].seconds <= start:
                missed = sum(look > last for look in self._looks)
                waits = now - last <= KEPT or missed <= MISSES
                if waits and not self._is_outside(_at(sightings[-2:], now)):
                    return False
            if sightings[0].seconds == last == now:
                return False
        return True

    def boxes(self, start: float) -> Boxes:
        """What to cover, besides the span of the boxes found, from the searched frame at `start` to the next one."""
        end = self._next(start)
        found = [way for one in self._seen.values() if (way := self._way(one, start, end)) is not None]
        inside = as_boxes([[0, 0, self._size[1], self._size[0]]])
        boxes = as_boxes(found)
        return boxes[covered(boxes, inside)[:, 0] > 0]

    def forget(self, before: float) -> None:
        """Nothing earlier than the searched frame at that time is asked for any more."""
        self._looks = [look for look in self._looks if look >= before - 2 * KEPT] or self._looks[-1:]
        for number, sightings in list(self._seen.items()):
            late = [number for number, one in enumerate(sightings) if one.seconds >= before]
            first = (late[0] if late else len(sightings)) - 2
            if not late and before - sightings[-1].seconds > 2 * max(KEPT, EXIT):
                del self._seen[number]
            else:
                self._seen[number] = sightings[max(0, first) :]

    def _next(self, start: float) -> float:
        return next((look for look in self._looks if look > start), start)

    def _way(self, sightings: list[_Sighting], start: float, end: float) -> _Box | None:
        """The box around a face's way from `start` to `end`, or None if it is not there, or was found at both."""
        before = [one for one in sightings if one.seconds <= start]
        after = [one for one in sightings if one.seconds >= end]
        if before and after:
            ends = before[-1], after[0]
            way = _hull(_at(ends, start), _at(ends, end))
            return way if ends[1].seconds - ends[0].seconds <= end - start else _grown(way)
        if before:
            return self._gone(before[-2:], start, end)
        if after:  # time turned round
            turned = [_Sighting(-one.seconds, one.box) for one in reversed(after[:2])]
            return self._gone(turned, -end, -start)
        return None

    def _gone(self, known: list[_Sighting], start: float, end: float) -> _Box | None:
        """The way of a face that is found no more, which was seen last at or before `start`."""
        last = known[-1]
        is_first = last.seconds == start
        leaves = self._is_outside(_at(known, last.seconds + EXIT))
        if is_first:
            return _hull(last.box, _grown(_at(known, end)))
        if not leaves or start - last.seconds > EXIT or self._is_outside(_at(known, start)):
            return None
        return _grown(_hull(_at(known, start), _at(known, end)))

    def _is_outside(self, box: _Box) -> bool:
        x1, y1, x2, y2 = box
        return bool(min(x2, y2) <= 0 or x1 >= self._size[1] or y1 >= self._size[0] or x1 >= x2 or y1 >= y2)


def _at(known: Sequence[_Sighting], seconds: float) -> _Box:
    """Where a face is at that time, if each side of its box moves on as from the first of `known` to the last. A box
    that the picture's edge cuts off then shrinks to nothing as the face leaves. If there is one alone, it stands."""
    first, last = known[0], known[-1]
    if first.seconds == last.seconds:
        return last.box
    share = (seconds - first.seconds) / (last.seconds - first.seconds)
    return first.box + share * (last.box - first.box)


def _hull(one: _Box, other: _Box) -> _Box:
    return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])


def _grown(box: _Box) -> _Box:
    return grow(as_boxes([box]), MARGIN)[0].astype(np.float64)
