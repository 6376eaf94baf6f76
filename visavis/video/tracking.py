"""One number a person through a video: faces followed from look to look by motion and place, and by what tells people
apart where that is known.

The way is that of SORT and ByteTrack: each track predicts where its face is next, at the speed that it had; the
Hungarian algorithm gives the faces to the tracks; what is left of the unsure faces then prolongs tracks, but begins
none (Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016; Zhang et al., "ByteTrack", ECCV 2022, section 3).
Instead of the overlap of boxes, which is 0 for a person who walks past and is looked at five times a second, the
distance from the prediction counts, in sides of the face. Packages that do this were not taken: of those on the
registry one brings OpenCV and Matplotlib along, one is for an old numpy, and one is without care since 2021.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.faces import Faces

KEPT = 3.0
"""Seconds for which a lost face is waited for where it left, or where it was going."""
MISSES = 2
"""Looks for which it is waited for at least, however long they take."""
COAST = 2.0
"""Seconds for which a lost face is taken to go on at its speed."""
REACH = 3.0
"""The most by which a face may be off its prediction, in sides of its box."""
NEAR, PACE = 0.5, 2.5
"""It may be off by so many sides, and so many more for each second since it was seen; and by `NEW` more if its speed is
not known yet."""
NEW = 0.5
GROWS = 2.0
"""By this factor a face may grow or shrink from one look to the next."""
AGILITY = 0.6
"""How much of a change of speed is believed at once, 0 to 1."""


@dataclass(frozen=True)
class Identity:
    """What tells people apart. attribute: of `Faces.attributes`: a name a face, "" where it is not known, or a row of
    numbers, NaN where they are not. distance: between two of these. limit: the largest between two looks at one person.
    """

    attribute: str
    distance: Callable[[Any, Any], float]
    limit: float


NAMED = Identity("who", lambda one, other: float(one != other), 0.5)
"""By the names that the analyser `identity` gives."""


@dataclass
class Track:
    """A person so far. middle, speed: (2,), pixels and pixels a second. side: of the box, the longer one. seen: how
    often. missed: looks since then. looks: what tells who it is, of the surest look."""

    number: int
    middle: NDArray[np.float64]
    side: float
    seconds: float
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    seen: int = 1
    missed: int = 0
    score: float = 0.0
    features: Any = None

    def predicted(self, seconds: float) -> NDArray[np.float64]:
        """Where its middle is taken to be at that time."""
        return self.middle + self.speed * min(COAST, seconds - self.seconds)


class Tracker:
    """The faces of one video, look by look: `follow(faces, seconds)`.

    kept, misses: see `KEPT` and `MISSES`. identity: what tells people apart. With it a person who comes back at any
    time has the old number, and a lost face is not taken for another one's; without it, one who comes back later than
    `kept`, or elsewhere, is a new person.
    """

    def __init__(self, kept: float = KEPT, misses: int = MISSES, identity: Identity | None = None) -> None:
        self._kept, self._misses, self._identity = kept, misses, identity
        self._tracks: list[Track] = []
        self._gone: list[Track] = []
        self._count = 0

    def follow(self, faces: Faces, seconds: float, sure: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """The number of each face of a look at that time, (N,): 1 for the first person, 2 for the second ..., and 0 for
        a face that belongs to nobody. Looks must come in the order of their times.

        sure: (N,) which faces may begin a track; by default all.
        """
        numbers = np.zeros(len(faces), np.int64)
        sure = np.ones(len(faces), bool) if sure is None else sure
        for track in self._tracks:
            track.missed += 1
        self._retire(seconds)
        features = self._features(faces)
        waiting = list(self._tracks)
        for some in (np.flatnonzero(sure), np.flatnonzero(~sure)):
            for seen in (True, False):  # a lost face, which may be anywhere by now, gets what the others leave
                those, left = [one for one in waiting if (one.missed == 1) == seen], some[numbers[some] == 0]
                for track, face in self._paired(those, faces, left, features, seconds):
                    numbers[face] = track.number
                    _go_on(track, faces, face, features[face], seconds)
                    waiting.remove(track)
            waiting = [track for track in waiting if track.missed == 1]  # nothing unsure brings a lost face back
        for face in np.flatnonzero(sure & (numbers == 0)):
            numbers[face] = self._begin(faces, int(face), features[face], seconds)
        return numbers

    def _retire(self, seconds: float) -> None:
        alive = [one for one in self._tracks if seconds - one.seconds <= self._kept or one.missed <= self._misses]
        if self._identity is not None:
            self._gone += [one for one in self._tracks if one not in alive and one.features is not None]
        self._tracks = alive

    def _features(self, faces: Faces) -> list[Any]:
        rows = faces.attributes.get(self._identity.attribute) if self._identity is not None else None
        if rows is None:
            return [None] * len(faces)
        if rows.dtype.kind == "U":
            return [name or None for name in rows.tolist()]
        return [row if np.isfinite(row).all() else None for row in rows]

    def _paired(
        self,
        tracks: list[Track],
        faces: Faces,
        some: NDArray[np.int64],
        features: list[Any],
        seconds: float,
    ) -> list[tuple[Track, int]]:
        """The tracks that go on at this look, each with its face, one of `some`. To be left alone costs a face 1, as
        much as the farthest that it may be from its track: no face goes to a track that is far, so that another may
        have one."""
        from scipy.optimize import linear_sum_assignment

        if not tracks or not len(some):
            return []
        boxes = faces.boxes[some].astype(np.float64)
        middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, _sides(boxes)
        costs = np.ones((len(tracks), len(some)))
        for row, track in enumerate(tracks):
            costs[row] = _costs(track, middles, sides, seconds)
            if track.missed > 1:
                known = [number for number, face in enumerate(some) if self._are_two(track.features, features[face])]
                costs[row, known] = 1
        pairs = zip(*linear_sum_assignment(np.minimum(costs, 1)), strict=True)
        return [(tracks[row], int(some[column])) for row, column in pairs if costs[row, column] < 1]

    def _are_two(self, one: Any, other: Any) -> bool:
        """Whether they are known to be two people."""
        if self._identity is None or one is None or other is None:
            return False
        return self._identity.distance(one, other) > self._identity.limit

    def _begin(self, faces: Faces, face: int, features: Any, seconds: float) -> int:
        """Begin a track, or go on with that of a person who was gone; its number."""
        box = faces.boxes[face].astype(np.float64)
        back = self._returned(features)
        if back is None:
            self._count += 1
        number = self._count if back is None else back.number
        middle, side = (box[:2] + box[2:]) / 2, float(_sides(box[None])[0])
        self._tracks.append(Track(number, middle, side, seconds, score=_score(faces, face), features=features))
        return number

    def _returned(self, features: Any) -> Track | None:
        """Who is gone and has come back, or None."""
        if self._identity is None or features is None:
            return None
        far = [self._identity.distance(one.features, features) for one in self._gone if one.features is not None]
        if not far or min(far) > self._identity.limit:
            return None
        return self._gone.pop(int(np.argmin(far)))


def _costs(
    track: Track, middles: NDArray[np.float64], sides: NDArray[np.float64], seconds: float
) -> NDArray[np.float64]:
    """(N,): how far each face is from where the track's is taken to be, 1 or more for what is too far."""
    since = seconds - track.seconds
    places = [track.predicted(seconds)] + ([track.middle] if track.missed > 1 else [])  # it may come back where it went
    away = np.min([np.linalg.norm(middles - place, axis=1) for place in places], axis=0) / np.maximum(sides, track.side)
    limit = min(REACH, NEAR + PACE * since + (NEW if track.seen == 1 else 0))
    return np.asarray(np.hypot(away / limit, np.log(sides / track.side) / np.log(GROWS) / track.missed))


def _go_on(track: Track, faces: Faces, face: int, features: Any, seconds: float) -> None:
    box = faces.boxes[face].astype(np.float64)
    middle, since = (box[:2] + box[2:]) / 2, seconds - track.seconds
    if since > 0:
        measured = (middle - track.middle) / since
        is_known = track.seen > 1 and track.missed == 1
        track.speed = track.speed + (AGILITY if is_known else 1) * (measured - track.speed)
    track.middle, track.side, track.seconds = middle, float(_sides(box[None])[0]), seconds
    track.seen, track.missed = track.seen + 1, 0
    score = _score(faces, face)
    if features is not None and (track.features is None or score >= track.score):
        track.features, track.score = features, score


def _sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0))


def _score(faces: Faces, face: int) -> float:
    assert faces.scores is not None
    return float(faces.scores[face])
