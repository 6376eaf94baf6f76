"""The people that are known: a folder with a folder for each person, which has the person's name and a few photos."""

import hashlib
import unicodedata
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from visavis import checkpoint, images
from visavis.analysers.crops import GREY
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.calibration import calibration_of
from visavis.analysers.identity.encoding import Encoder, Encodings, distances
from visavis.analysers.identity.folders import OF_NOBODY
from visavis.analysers.identity.known import Gallery
from visavis.analysers.identity.reviewing import reviewed
from visavis.boxes import Boxes
from visavis.detectors import LoadedDetector, load_detector
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.images import Picture
from visavis.messages import harmless
from visavis.reduced_photos import digest
from visavis.sources import shown

BORDER = 0.5
"""Where no face is found in a photo of a person, it is searched once more with a border of this share of its longer
side: detectors miss faces that fill a picture."""


def name_in(folder: str) -> str:
    """The name of the person whose folder is called so, as one line of text that any table and any terminal takes. Some
    systems take letters and accents apart."""
    return harmless(" ".join(shown(unicodedata.normalize("NFC", folder)).splitlines()))


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
        seen: set[bytes] = set()  # a copy says nothing more
        single: list[_Face] = []
        several: list[tuple[Path, bytes, Boxes, Encodings]] = []
        for path in images.find(place):
            try:
                data = images.read_bytes(path)
                if (photo := digest(data)) in seen:
                    continue
                seen.add(photo)
                boxes, encodings = self._photo(data)
            except ImageError as error:
                self.notes.append(f"{path} cannot be used ({error})")
                continue
            known = ~np.isnan(encodings).any(axis=1)
            boxes, encodings = boxes[known], encodings[known]
            if len(boxes) > 1:
                several.append((path, photo, boxes, encodings))
            elif len(boxes):
                single.append(_Face(person, path, photo, encodings[0]))
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


def _fingerprint(faces: list[_Face]) -> str:
    whole = hashlib.sha256()
    for name, photo in sorted((face.person, face.photo) for face in faces):
        whole.update(len(name.encode()).to_bytes(4, "little") + name.encode() + photo)
    return whole.hexdigest()
