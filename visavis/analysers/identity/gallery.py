"""The people that are known: a folder with a folder for each person, which has the person's name and a few photos."""

import hashlib
import unicodedata
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint, images
from visavis.analysers.crops import GREY
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.calibration import SURE, Calibration, calibration_of, posterior
from visavis.analysers.identity.encoding import Encoder, Encodings, distances
from visavis.boxes import Boxes
from visavis.detectors import LoadedDetector, load_detector
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.reduced_photos import digest

ALONE = "seen-once"
"""The folder in which `visavis people` puts faces that are like no other: it is no person's."""
BORDER = 0.5
"""Where no face is found in a photo of a person, it is searched once more with a border of this share of its longer
side: detectors miss faces that fill a picture."""


@dataclass(frozen=True)
class Gallery:
    """The encodings of people. Several photos of a person count by the mean of their encodings.

    people: their names. encodings: (M, size), none of them NaN. owners: (M,) whose each is, a number in `people`.
    encoder: the name of what made them. notes: what the user should know of the photos, a sentence each.
    fingerprint: the same for the same people with the same photos.
    """

    people: tuple[str, ...]
    encodings: Encodings
    owners: NDArray[np.int64]
    encoder: str
    notes: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def calibration(self) -> Calibration:
        """What the distances of its encoder say."""
        return calibration_of(self.encoder)

    def who(self, encodings: Encodings) -> tuple[list[str], NDArray[np.float32]]:
        """The name of each of the faces with these (N, size) encodings, "" for nobody among the people; and how
        probable that answer is, (N,). It is NaN where the encoding is."""
        known = ~np.isnan(encodings).any(axis=1)
        names, scores = [""] * len(encodings), np.full(len(encodings), np.nan, np.float32)
        chances = posterior(self.log_odds(encodings[known]))
        for face, row in zip(np.flatnonzero(known), chances, strict=True):
            best = int(row.argmax()) if len(row) else -1
            named = best >= 0 and row[best] >= SURE
            names[face] = self.people[best] if named else ""
            scores[face] = row[best] if named else 1 - row.sum()
        return names, scores

    def log_odds(self, encodings: Encodings) -> NDArray[np.float64]:
        """(N, P): for each face and each of the people, how the comparison changes the log of the odds that the face is
        that person's."""
        people = range(len(self.people))
        means = [self.encodings[self.owners == one].mean(axis=0) for one in people]
        apart = distances(encodings, np.reshape(means, (len(people), encodings.shape[1])))
        counts = np.bincount(self.owners, minlength=len(people))
        return self.calibration.log_odds(self.calibration.to_person(apart, counts))


def read_gallery(folder: Path, encoder: Encoder) -> Gallery:
    """The people of a folder. The encodings of their photos are kept there, in `visavis.analysers.identity.cache.FILE`.

    Raises InputError where there is no such folder, or no face of anybody in it. A photo that cannot be used is left
    out, and a note says why.
    """
    reader = _Reader(folder, encoder)
    faces = reader.faces()
    if not faces:
        raise InputError(
            f"`people` {folder} has no folder with a face in it; make one for each person, named after them, with a "
            "few of their photos" + "".join(f"; {note}" for note in reader.notes[:3])
        )
    people = tuple(dict.fromkeys(face.person for face in faces))
    whole = Gallery(
        people,
        np.array([face.encoding for face in faces], np.float32),
        np.array([people.index(face.person) for face in faces]),
        encoder.name,
        fingerprint=_fingerprint(faces),
    )
    gallery = reviewed(whole, [face.path for face in faces])
    return replace(gallery, notes=(*reader.notes, *gallery.notes))


@dataclass(frozen=True)
class _Face:
    """The face of a person in a photo."""

    person: str
    path: Path
    photo: bytes
    encoding: Encodings


class _Reader:
    """Reads the photos of a folder of people. notes: what was wrong with them."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self._folder, self._encoder, self.notes = folder, encoder, list[str]()
        self._detector, self._calibration = _ShippedDetector(), calibration_of(encoder.name)

    def faces(self) -> list[_Face]:
        """All that can be used, person by person."""
        folder = self._folder
        if not folder.is_dir():
            raise InputError(
                f"`people` {folder} is no folder; make it, with a folder for each person, named after them"
            )
        loose = [path.name for path in sorted(folder.iterdir()) if path.suffix.lower() in images.SUFFIXES]
        if loose:
            self.notes.append(f"{folder / loose[0]} is in no person's folder and is not used ({len(loose)} such)")
        found: list[_Face] = []
        with ExitStack() as stack:
            kept: Cache | None = None
            try:
                kept = stack.enter_context(Cache(folder / FILE, self._encoder.name))
            except InputError as error:  # a folder that may only be read
                self.notes.append(f"the encodings of people are made anew each time: {error}")
            for place in sorted(path for path in folder.iterdir() if path.is_dir()):
                if place.name != ALONE and not place.name.startswith("."):
                    found += self._of_person(place, kept)
        return found

    def _of_person(self, place: Path, kept: Cache | None) -> list[_Face]:
        person = unicodedata.normalize("NFC", place.name)  # some systems take letters and accents apart
        single: list[_Face] = []
        several: list[tuple[Path, bytes, Boxes, Encodings]] = []
        for path in images.find(place):
            try:
                data = images.read_bytes(path)
                boxes, encodings = self._photo(data, kept)
            except ImageError as error:
                self.notes.append(f"{path} cannot be used ({error})")
                continue
            known = ~np.isnan(encodings).any(axis=1)
            boxes, encodings = boxes[known], encodings[known]
            if len(boxes) > 1:
                several.append((path, digest(data), boxes, encodings))
            elif len(boxes):
                single.append(_Face(person, path, digest(data), encodings[0]))
            else:
                self.notes.append(f"{path} is not used: no face is found in it")
        faces = single + [self._chosen(person, single, *one) for one in several]
        if not faces:
            self.notes.append(f"{place} has no photo that can be used: {person} cannot be recognised")
        return faces

    def _chosen(
        self, person: str, single: list[_Face], path: Path, photo: bytes, boxes: Boxes, encodings: Encodings
    ) -> _Face:
        """Of several faces in a photo, the one most like those that are alone in theirs; where none is, the largest."""
        face, why = int((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()), "largest"
        if single:
            mean = np.mean([other.encoding for other in single], axis=0, keepdims=True)
            apart = self._calibration.to_person(distances(encodings, mean)[:, 0], np.array(len(single)))
            like = self._calibration.log_odds(apart) > 0
            if like.any():
                face, why = int(apart.argmin()), "most like the person's other photos"
            if like.sum() == 1:
                return _Face(person, path, photo, encodings[face])
        x, y = ((boxes[face, :2] + boxes[face, 2:]) / 2).round().astype(int)
        self.notes.append(f"{path} has {len(boxes)} faces; the one at {x}, {y}, the {why}, is taken for {person}")
        return _Face(person, path, photo, encodings[face])

    def _photo(self, data: bytes, kept: Cache | None) -> tuple[Boxes, Encodings]:
        """The faces of a photo and their encodings, as kept or found anew."""
        photo, encoder = digest(data), self._encoder
        boxes = None if kept is None else kept.boxes(photo, self._detector.name)
        if kept is not None and boxes is not None:
            encodings = kept.get(photo, boxes, encoder.size)
            if not np.isnan(encodings).any():
                return boxes, encodings
        picture = images.decode(data)
        boxes = self._detector.find(picture)
        encodings = encoder.encode(picture, Faces(boxes))
        boxes, encodings = boxes[known := ~np.isnan(encodings).any(axis=1)], encodings[known]
        if kept is not None:
            kept.put_boxes(photo, self._detector.name, boxes)
            kept.put(photo, boxes, encodings)
        return boxes, encodings


class _ShippedDetector:
    """The detector that comes with visavis, which is loaded once it is needed."""

    def __init__(self) -> None:
        self.name = f"shipped {checkpoint.fingerprint(checkpoint.SHIPPED)}"

    @cached_property
    def _detector(self) -> LoadedDetector:
        return load_detector()

    def find(self, picture: Picture) -> Boxes:
        """(N, 4) boxes; of a face that fills the picture, too."""
        found = self._detector.detect(picture)
        if len(found):
            return found.boxes
        around = round(BORDER * max(picture.shape[:2]))
        height, width = picture.shape[:2]
        wider = np.full((height + 2 * around, width + 2 * around, 3), GREY, np.uint8)
        wider[around : around + height, around : around + width] = picture
        return self._detector.detect(wider).boxes - np.float32(around)


def reviewed(gallery: Gallery, paths: Sequence[Path]) -> Gallery:
    """The gallery without photos that lie in another person's folder, with notes on these, and on people who have two
    folders. paths: of the photo of each encoding."""
    people, notes = gallery.people, []
    odds = _odds_without_itself(gallery)
    own = odds[np.arange(len(odds)), gallery.owners]
    odds[np.arange(len(odds)), gallery.owners] = -np.inf
    nearest = odds.argmax(axis=1)
    wrong = (odds.max(axis=1) > np.log(max(1, len(people) - 1))) & (own < 0)
    for face in np.flatnonzero(wrong).tolist():
        here, there = people[gallery.owners[face]], people[nearest[face]]
        notes.append(f"{paths[face]} looks like {there}, and not like the other photos of {here}; it is not used: move "
                     "or remove it")  # fmt: skip
    for one, other in combinations(range(len(people)), 2):
        both = [odds[(gallery.owners == a) & ~wrong, b].mean() for a, b in ((one, other), (other, one))]
        if min(both) > np.log(max(1, len(people) - 1)):
            notes.append(f"{people[one]} and {people[other]} seem to be one person; put their photos into one folder, "
                         "or neither is recognised for certain")  # fmt: skip
    right = ~wrong
    return replace(gallery, encodings=gallery.encodings[right], owners=gallery.owners[right], notes=tuple(notes))


def _odds_without_itself(gallery: Gallery) -> NDArray[np.float64]:
    """(M, P) `Gallery.log_odds` of the gallery's own faces, each compared with all others; NaN where its person has no
    other."""
    odds = gallery.log_odds(gallery.encodings)
    for person in range(len(gallery.people)):
        theirs = np.flatnonzero(gallery.owners == person)
        others, sums = len(theirs) - 1, gallery.encodings[theirs].sum(axis=0)
        for face in theirs:
            means = (sums - gallery.encodings[face]) / max(1, others)
            apart = distances(gallery.encodings[face][None], means[None])
            compared = gallery.calibration.to_person(apart, np.array(max(1, others)))
            odds[face, person] = gallery.calibration.log_odds(compared)[0, 0] if others else np.nan
    return odds


def _fingerprint(faces: list[_Face]) -> str:
    whole = hashlib.sha256()
    for name, photo in sorted((face.person, face.photo) for face in faces):
        whole.update(len(name.encode()).to_bytes(4, "little") + name.encode() + photo)
    return whole.hexdigest()
