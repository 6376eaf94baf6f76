"""Contact sheets of all faces that were found, page by page: sheets/0001.jpg, 0002.jpg ...

During the run each face is kept as a small picture of its own, of which the pages are made at the end. So photos are
not read again, and memory holds one page, whatever the number of faces.
"""

import shutil
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path, PurePosixPath

from visavis import images
from visavis.drawing import contact_sheet
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction.crops import Crops
from visavis.prediction.records import Record
from visavis.sources import Input

SHEETS = "sheets"
KEPT = ".sheet"
"""In the folder of results: the folder of the pages, and that of the small pictures until the pages are written."""

COLUMNS, ROWS, CELL = 10, 8, 160

_CROPS = Crops(margin=0.3, square=True)


def keep(out: Path, place: str, picture: Picture, faces: Faces, first: int = 0) -> None:
    """Keep a small picture of each of a photo's faces. place: the photo's name in the folder of results.

    first: how many faces of the same input were kept before, from earlier frames.
    """
    for number, box in enumerate(faces.boxes, start=first):
        small, _ = images.fit(_CROPS.cut(picture, box), CELL)
        with replaced(_kept(out, place, number), "wb", durable=False) as file:
            file.write(images.encode(small, quality=95))


def write_sheets(out: Path, records: Callable[[], Iterator[tuple[Input, Record]]]) -> None:
    """Write the pages: the faces in the order of their photos, each with its photo's name.

    Further pages of an earlier run are removed. Without a face there is no page.
    """
    cells = _cells(out, records())
    for page in count(1):
        path = out / SHEETS / f"{page:04}.jpg"
        pictures, captions = [], []
        for kept, caption in islice(cells, COLUMNS * ROWS):
            pictures.append(images.read(kept))
            captions.append(caption)
        if not pictures:
            break
        with replaced(path, "wb") as file:
            file.write(images.encode(contact_sheet(pictures, captions, COLUMNS, CELL)))
    for old in (out / SHEETS).glob("*.jpg"):
        if old.stem.isdecimal() and int(old.stem) >= page:
            old.unlink()


def tidy(out: Path) -> None:
    """Remove the small pictures."""
    shutil.rmtree(out / KEPT, ignore_errors=True)


def _cells(out: Path, records: Iterator[tuple[Input, Record]]) -> Iterator[tuple[Path, str]]:
    for one, record in records:
        name = PurePosixPath(record.path).name
        for number, face in enumerate(record.faces):
            which = f" {face['time']:.1f} s" if "time" in face else f" #{number}" if len(record.faces) > 1 else ""
            yield _kept(out, one.place, number), name + which


def _kept(out: Path, place: str, number: int) -> Path:
    return out / KEPT / place / f"{number}.jpg"
