"""The pictures that are written of a photo once its faces are known. It runs in worker processes."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np

from visavis import images
from visavis.drawing import APART, Colour, boxes_on
from visavis.effects.redaction import Redaction
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction import frames, sheets
from visavis.prediction.analysis import Analysis, captions
from visavis.prediction.analysis import colours as own_colours
from visavis.prediction.crops import Crops
from visavis.prediction.frames import Kept
from visavis.rewriting.repainting import repainted
from visavis.sight import digest
from visavis.sources import ending

DRAWN, REDACTED, CROPS = "drawn", "redacted", "crops"


@dataclass(frozen=True)
class Copies:
    """Which pictures are wanted of each photo.

    out: the folder of results. drawn: copies with boxes and scores, as JPEG files. redaction: copies with the faces
    made unrecognisable, in the photo's own format. crops: each face alone, as JPEG files. sheet: small pictures of
    the faces, for visavis.prediction.sheets. frames: of a video, which of those looked at are files of their own: all,
    or some of those with faces. analysis: what is asked of each face first; captions show it.
    """

    out: Path
    drawn: bool = True
    redaction: Redaction | None = None
    crops: Crops | None = None
    sheet: bool = False
    frames: Literal["", "some", "all"] = ""
    analysis: Analysis = Analysis()

    def __bool__(self) -> bool:
        """Whether a photo is needed once more, at full size."""
        pictures = self.drawn or self.sheet or self.redaction is not None or self.crops is not None
        return pictures or bool(self.analysis)

    def write(self, path: str, place: str, faces: Faces, seen: bytes, max_pixels: int, unreported: Faces) -> Faces:
        """Write them of the photo at `path`, below folders of their own under the name `place`.

        Returns the faces with what was asked of them.

        seen: digest of the file in which the faces were found. unreported: finds that are too small or too unsure to be
        reported, but are redacted. Raises ImageError where the photo is no longer that or cannot be saved in its
        format, and InputError where a picture cannot be written.
        """
        data = images.read_bytes(path)
        if digest(data) != seen:
            raise ImageError("changed", "the file changed while it was looked at")
        picture = images.decode(data, max_pixels)
        faces = self.analysis(picture, faces)
        try:
            if self.redaction is not None:
                every = Faces(np.concatenate([faces.boxes, unreported.boxes]))
                mask = self.redaction.mask(picture.shape[:2], every, len(faces))
                redacted = repainted(data, self.redaction(picture, every, len(faces)), mask, max_pixels)
                _write(self.out / REDACTED / (place + _own_ending(path, place)), redacted)
            if self.drawn:
                _write(self.out / DRAWN / f"{place}.jpg", images.encode(self.boxes_on(picture, faces, APART)))
            if self.crops is not None:
                self._cut(picture, faces, place, self.crops)
            if self.sheet:
                sheets.keep(self.out, place, picture, faces)
        except OSError as error:  # a full disk, a name that this file system does not take
            where = error.filename2 or error.filename or self.out
            raise InputError(
                f"cannot write {where}: {error.strerror}; mend that and give `resume`, or another `out`"
            ) from None
        return faces

    def boxes_on(self, picture: Picture, faces: Faces, colours: Sequence[Colour] | None = None) -> Picture:
        """A copy of the picture with boxes, and with what is known of each face."""
        return boxes_on(picture, faces, texts=captions(faces), colours=colours, own=own_colours(faces))

    def forget_frames(self, place: str) -> None:
        """Remove what an earlier run wrote of a video's frames: it may have looked at others."""
        for folder in (frames.FRAMES, CROPS):
            frames.forget(self.out / folder / place)
        if self.crops is not None and self.crops.flat:
            first = self.crops.name(place, "")
            for path in (self.out / CROPS).glob(f"{glob.escape(first.removesuffix('.jpg'))}*-*.jpg"):
                path.unlink()

    def write_frame(self, place: str, frame: int, number: int, picture: Picture, faces: Faces, kept: Kept) -> None:
        """Write what is wanted of a video's frame, `number` of whose faces have been told of before. Raises OSError."""
        if self.frames == "all":
            frames.write(self.out, place, frame, picture)
        elif self.frames == "some" and len(faces):
            kept.write(self.out, place, frame, picture)
        if self.crops is not None:
            for face, data in enumerate(_crops(picture, faces, self.crops)):
                _write(self.out / CROPS / self.crops.name(place, f"{frame}-{face}"), data)
        if self.sheet:
            sheets.keep(self.out, place, picture, faces, number)

    def _cut(self, picture: Picture, faces: Faces, place: str, crops: Crops) -> None:
        """crops/PLACE/0.jpg, 1.jpg ... (flat: crops/PLACE-0.jpg ...); those of a run that found more faces go."""
        for number, data in enumerate(_crops(picture, faces, crops)):
            _write(self.out / CROPS / crops.name(place, str(number)), data)
        for number in count(len(faces)):
            old = self.out / CROPS / crops.name(place, str(number))
            if not old.exists():
                break
            old.unlink()


def _crops(picture: Picture, faces: Faces, crops: Crops) -> Iterator[bytes]:
    """A JPEG file of each face; its comment says what is known of it."""
    for box, (text, *_) in zip(faces.boxes, captions(faces), strict=True):
        yield images.encode(crops.cut(picture, box), quality=95, comment=text)


def _own_ending(path: str, place: str) -> str:
    """What makes the photo's own name of `place`, which has lost .jpg alone."""
    own = ending(path)
    return "" if own.lower() != ".jpg" and place.endswith(own) else own


def _write(path: Path, data: bytes) -> None:
    with replaced(path, "wb", durable=False) as file:
        file.write(data)
