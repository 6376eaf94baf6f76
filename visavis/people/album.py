"""The faces of an album with their encodings: found once a photo, and kept in the folder of results.

A stopped run loses nothing: what is kept is not looked for again, and photos are known by their bytes, not their names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tqdm import tqdm

from visavis import images
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.encoders import load_encoder
from visavis.analysers.identity.encoding import Encoder
from visavis.errors import ImageError
from visavis.faces import Faces
from visavis.prediction.copies import Copies
from visavis.prediction.records import Record, unreadable
from visavis.reduced_photos import digest, read_unchanged
from visavis.sources import Input, shown


@dataclass(frozen=True)
class Photo:
    """A photo. sha256: of its bytes. file: its path. paths: of all inputs with these bytes, as tables have them."""

    sha256: bytes
    file: str
    paths: list[str]


@dataclass(frozen=True)
class Outcome:
    """What became of an input: a row of files.csv. status: `ok`, `unreadable` or `skipped`; reason: docs/reasons.md."""

    path: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Album:
    """What became of the inputs, and the photos that could be read, each once."""

    outcomes: list[Outcome]
    photos: list[Photo]


@dataclass(frozen=True)
class Encoded(Copies):
    """What is done with a photo in which faces were found: they are encoded, and what was found is kept in `out`.

    detector: all that the boxes depend on, as a text.
    """

    detector: str = ""

    def __bool__(self) -> bool:
        """Every photo is read a second time, at full size."""
        return True

    def write(self, path: str, place: str, faces: Faces, expected: bytes, max_pixels: int, unreported: Faces) -> Faces:
        """See visavis.prediction.copies.Copies."""
        data = read_unchanged(path, expected)
        encodings = encoder().encode(images.decode(data, max_pixels), faces) if len(faces) else None
        with Cache(self.out / FILE, encoder().name) as kept:
            if encodings is not None:
                kept.put(expected, faces.boxes, encodings)
            kept.put_boxes(expected, self.detector, faces.boxes)  # last: from now on the photo is known
        return faces


def searched(
    inputs: Sequence[Input], out: Path, detector: str, search: Callable[[list[Input]], Iterable[Record]]
) -> Album:
    """The inputs, after those photos are searched for faces that were not before.

    search: searches photos, keeps their faces in `out` (`Encoded` does), and gives a record of each. Videos are left
    out: their reason is `video`.
    """
    outcomes: list[Outcome] = []
    numbers: dict[bytes, list[int]] = {}
    for number, one in enumerate(tqdm(inputs, unit="photo", desc="reading", disable=None)):
        outcome, photo = _read(one)
        outcomes.append(outcome)
        if photo is not None:
            numbers.setdefault(photo, []).append(number)
    with Cache(out / FILE, encoder().name) as kept:
        unknown = [some[0] for photo, some in numbers.items() if kept.boxes(photo, detector) is None]
    for number, record in zip(unknown, search([inputs[number] for number in unknown]), strict=True):
        outcomes[number] = Outcome(record.path, record.status, record.reason)
    photos = []
    for photo, some in numbers.items():
        first = outcomes[some[0]]
        for number in some[1:]:  # copies of the photo
            outcomes[number] = replace(first, path=outcomes[number].path)
        if first.status == "ok":
            photos.append(Photo(photo, inputs[some[0]].path, [outcomes[number].path for number in some]))
    return Album(outcomes, photos)


def _read(one: Input) -> tuple[Outcome, bytes | None]:
    """An input, and the SHA-256 of its bytes if it may be a photo."""
    path = shown(one.path)
    if one.reason:
        return Outcome(path, one.status, one.reason), None
    if one.is_video:
        return Outcome(path, "skipped", "video"), None
    try:
        return Outcome(path, "ok"), digest(images.read_bytes(one.path))
    except ImageError as error:
        return Outcome(path, *unreadable(error)), None


@cache
def encoder() -> Encoder:
    """The encoder, loaded once in each process. Raises InputError where what it needs is missing."""
    return load_encoder()
