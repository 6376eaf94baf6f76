"""The pictures to write of a photo once its faces are known: drawn, redacted, crops. It runs in worker processes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from visavis import images
from visavis.drawing import APART, Colour, boxes_on, points_on
from visavis.effects.redaction import Redaction
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction import frames, sheets
from visavis.prediction.analysis import WHO, Analysis, captions
from visavis.prediction.analysis import colours as own_colours
from visavis.prediction.crops import Crops
from visavis.prediction.filtering import Filtering
from visavis.prediction.frames import Kept
from visavis.reduced_photos import read_unchanged
from visavis.rewriting.repainting import repainted
from visavis.sources import ending

DRAWN, REDACTED, FILTERED, CROPS = "drawn", "redacted", "filtered", "crops"


@dataclass(frozen=True)
class Copies:
    """Which pictures to write of each photo.

    out: the folder of results. drawn: copies with boxes and scores, as JPEG files. redaction: copies with the faces
    made unrecognisable, in the photo's own format. crops: each face alone, as JPEG files. sheet: small pictures of the
    faces, for visavis.prediction.sheets. strips: small pictures of a video's people, for visavis.prediction.strips.
    frames: which frames of a video, of those searched, to write as files: all, or some of those with faces. analysis:
    the analysers to run first; captions show their answers. filtering: copies with glasses and the like on the faces,
    as JPEG files.
    """

    out: Path
    drawn: bool = True
    redaction: Redaction | None = None
    crops: Crops | None = None
    sheet: bool = False
    strips: bool = False
    frames: Literal["", "some", "all"] = ""
    analysis: Analysis = Analysis()
    filtering: Filtering | None = None

    def __bool__(self) -> bool:
        """Whether a photo must be read a second time, at full size."""
        changed = self.redaction is not None or self.filtering is not None
        pictures = self.drawn or self.sheet or changed or self.crops is not None
        return pictures or bool(self.analysis)

    def write(self, path: str, place: str, faces: Faces, expected: bytes, max_pixels: int, unreported: Faces) -> Faces:
        """Write the copies of the photo at `path`, each in the folder of its kind, under the name `place`.

        Returns the faces with the attributes that the analysers add.

        expected: digest of the file in which the faces were found. unreported: faces that are redacted though they are
        too small, or their scores too low, to be reported. Raises ImageError if the file has changed or cannot be
        saved in its format, and InputError if a picture cannot be written.
        """
        data = read_unchanged(path, expected)
        picture = images.decode(data, max_pixels)
        faces = self.analysis(picture, faces, expected)
        try:
            if self.redaction is not None:
                every = Faces(np.concatenate([faces.boxes, unreported.boxes]))
                mask = self.redaction.mask(picture.shape[:2], every, len(faces))
                redacted = repainted(data, self.redaction(picture, every, len(faces)), mask, max_pixels)
                _write(self.out / REDACTED / (place + _own_ending(path, place)), redacted)
            if self.filtering is not None:
                _write(self.out / FILTERED / f"{place}.jpg", images.encode(self.filtering(picture, faces), quality=95))
            if self.drawn:
                _write(self.out / DRAWN / f"{place}.jpg", images.encode(self.boxes_on(picture, faces, APART)))
            if self.crops is not None:
                self._cut(picture, faces, place, self.crops)
            if self.sheet:
                sheets.keep(self.out, place, picture, faces)
        except OSError as error:  # a full disk, a name that the file system rejects
            where = error.filename2 or error.filename or self.out
            raise InputError(
                f"cannot write {where}: {error.strerror or error}; correct that and give `resume`, or give another "
                "`out`"
            ) from None
        return faces

    def boxes_on(self, picture: Picture, faces: Faces, colours: Sequence[Colour] | None = None) -> Picture:
        """A copy of the picture with boxes, captions, and the points that an analyser found."""
        drawn = boxes_on(picture, faces, texts=captions(faces), colours=colours, own=own_colours(faces))
        return points_on(drawn, np.asarray(faces.keypoints)) if self.points and faces.keypoints is not None else drawn

    @property
    def points(self) -> bool:
        """Whether an analyser gives points."""
        return bool(self.analysis) and bool(self.analysis.loaded().keypoints)

    def forget_frames(self, place: str) -> None:
        """Remove what an earlier run wrote of a video's frames: it may have searched other frames."""
        for folder in (frames.FRAMES, CROPS):
            frames.forget(self.out / folder / place)
        if self.crops is not None:
            for path in list(self.crops.of_frames(self.out / CROPS, place)):
                path.unlink()

    def write_frame(self, place: str, frame: int, number: int, picture: Picture, faces: Faces, kept: Kept) -> None:
        """Write the pictures of a video's frame. number: of faces reported in earlier frames. Raises OSError."""
        if self.frames == "all":
            frames.write(self.out, place, frame, picture)
        elif self.frames == "some" and len(faces):
            kept.write(self.out, place, frame, picture)
        if self.crops is not None and self.crops.order != "best":
            for face, (person, data) in enumerate(_crops(picture, faces, self.crops)):
                _write(self.out / CROPS / self.crops.name(place, f"{frame}-{face}", person), data)
        if self.sheet:
            sheets.keep(self.out, place, picture, faces, number)

    def _cut(self, picture: Picture, faces: Faces, place: str, crops: Crops) -> None:
        """Write crops/PLACE/0.jpg, 1.jpg ... (flat: crops/PLACE-0.jpg ..., by person: crops/ANNA/PLACE-0.jpg ...), and
        remove those left by a run that found others."""
        old = set(crops.of_place(self.out / CROPS, place))
        for number, (person, data) in enumerate(_crops(picture, faces, crops)):
            path = self.out / CROPS / crops.name(place, str(number), person)
            _write(path, data)
            old.discard(path)
        for path in old:
            path.unlink(missing_ok=True)


def _crops(picture: Picture, faces: Faces, crops: Crops) -> Iterator[tuple[str, bytes]]:
    """Of each face, whose it is ("" where nobody knows), and a JPEG file; its comment is the caption."""
    people = map(str, faces.attributes.get(WHO, [""] * len(faces)))
    for box, (text, *_), person in zip(faces.boxes, captions(faces), people, strict=True):
        yield person, images.encode(crops.cut(picture, box), quality=95, comment=text)


def _own_ending(path: str, place: str) -> str:
    """The ending that makes the photo's own name of `place`, from which .jpg alone was removed."""
    own = ending(path)
    return "" if own.lower() != ".jpg" and place.endswith(own) else own


def _write(path: Path, data: bytes) -> None:
    with replaced(path, "wb", durable=False) as file:
        file.write(data)
