"""The people that are known: a folder with a folder for each person, which has the person's name and a few photos."""

import hashlib
import unicodedata
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis import checkpoint, images
from visavis.analysers.crops import GREY
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.calibration import SURE, Calibration, calibration_of, posterior
from visavis.analysers.identity.encoding import Encoder, Encodings, distances
from visavis.analysers.identity.folders import OF_NOBODY
from visavis.boxes import Boxes
from visavis.detectors import LoadedDetector, load_detector
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.reduced_photos import digest
from visavis.sources import shown

BORDER = 0.5
"""Where no face is found in a photo of a person, it is searched once more with a border of this share of its longer
side: detectors miss faces that fill a picture."""


def name_in(folder: str) -> str:
    """The name of the person whose folder is called so, as a text that any table takes. Some systems take letters and
    accents apart."""
    return shown(unicodedata.normalize("NFC", folder))


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
        apart = self.calibration.to_person(distances(encodings, self._means), self._counts)
        return self.calibration.log_odds(apart)

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        """(P,) the photos of each person, one or more."""
        return np.bincount(self.owners, minlength=len(self.people))

    @cached_property
    def _means(self) -> Encodings:
        """(P, size) the mean of each person's encodings."""
        sums = np.zeros((len(self.people), self.encodings.shape[1]))
        np.add.at(sums, self.owners, self.encodings)
        return (sums / self._counts[:, None]).astype(np.float32)


def read_gallery(folder: Path, encoder: Encoder) -> Gallery:
    """The people of a folder. The encodings of their photos are kept there, in `visavis.analysers.identity.cache.FILE`.

    Raises InputError where there is no such folder, or no face of anybody in it. A photo that cannot be used is left
    out, and a note says why.
    """
    reader = _Reader(folder, encoder)
    faces = reader.faces()
    people = tuple(dict.fromkeys(face.person for face in faces))
    numbers = {person: number for number, person in enumerate(people)}
    whole = Gallery(
        people,
        np.array([face.encoding for face in faces], np.float32).reshape(-1, encoder.size),
        np.array([numbers[face.person] for face in faces], np.int64),
        encoder.name,
        fingerprint=_fingerprint(faces),
    )
    gallery = reviewed(whole, [face.path for face in faces])
    notes = (*reader.notes, *gallery.notes)
    if not gallery.people:
        raise InputError(
            f"`people` {folder} has no folder with a face of its own person; make one for each person, named after "
            "them, with a few of their photos" + "".join(f"; {note}" for note in notes[:3])
        )
    return replace(gallery, notes=notes)


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
        self._kept: Cache | None = None

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
            try:
                self._kept = stack.enter_context(Cache(folder / FILE, self._encoder.name))
            except InputError as error:
                self._keep_no_more(error)
            for place in self._places():
                found += self._of_person(place)
        return found

    def _places(self) -> list[Path]:
        """The folder of each person. One that has a second name, by a link, is given once."""
        named = (path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        places: dict[Path, Path] = {}
        for place in sorted(named, key=lambda path: (path.is_symlink(), path)):
            if place.name not in OF_NOBODY and places.setdefault(place.resolve(), place) != place:
                self.notes.append(f"{place} is a link to the folder of {places[place.resolve()].name} and is not used")
        return sorted(places.values())

    def _of_person(self, place: Path) -> list[_Face]:
        person = name_in(place.name)
        single: list[_Face] = []
        several: list[tuple[Path, bytes, Boxes, Encodings]] = []
        for path in images.find(place):
            try:
                data = images.read_bytes(path)
                boxes, encodings = self._photo(data)
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

    def _photo(self, data: bytes) -> tuple[Boxes, Encodings]:
        """The faces of a photo and their encodings, as kept or found anew."""
        photo, encoder, kept = digest(data), self._encoder, self._kept
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
            try:
                kept.put(photo, boxes, encodings)
                kept.put_boxes(photo, self._detector.name, boxes)
            except InputError as error:
                self._keep_no_more(error)
        return boxes, encodings

    def _keep_no_more(self, error: InputError) -> None:
        """The folder, or its file of encodings, may perhaps only be read: that is enough to recognise people."""
        self._kept = None
        self.notes.append(f"the encodings of people are made anew each time: {error}")


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
    """The gallery without photos that lie in another person's folder, and without people who have no other photos, with
    notes on these, and on people who have two folders. paths: of the photo of each encoding."""
    people, notes = gallery.people, []
    if not people:
        return gallery
    odds = _odds_without_itself(gallery)
    own = odds[np.arange(len(odds)), gallery.owners]
    odds[np.arange(len(odds)), gallery.owners] = -np.inf
    nearest, enough = odds.argmax(axis=1), np.log(max(1, len(people) - 1))
    wrong = (odds.max(axis=1) > enough) & (own < 0)
    for face in np.flatnonzero(wrong).tolist():
        here, there = people[gallery.owners[face]], people[nearest[face]]
        notes.append(f"{paths[face]} looks like {there}, and not like the other photos of {here}; it is not used: move "
                     "or remove it")  # fmt: skip
    encodings, owners = gallery.encodings[~wrong], gallery.owners[~wrong]
    left = np.unique(owners)
    for person in set(range(len(people))).difference(left.tolist()):
        notes.append(f"{people[person]} has no other photo that can be used, and cannot be recognised")
    sums = np.zeros((len(people), len(people)))
    np.add.at(sums, owners, odds[~wrong])
    means = sums[np.ix_(left, left)] / np.bincount(owners, minlength=len(people))[left, None]
    for one, other in left[np.argwhere(np.triu(np.minimum(means, means.T) > enough, 1))].tolist():
        notes.append(f"{people[one]} and {people[other]} seem to be one person; put their photos into one folder, or "
                     "neither is recognised for certain")  # fmt: skip
    return replace(
        gallery,
        people=tuple(people[person] for person in left),
        encodings=encodings,
        owners=np.searchsorted(left, owners),
        notes=tuple(notes),
    )


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
