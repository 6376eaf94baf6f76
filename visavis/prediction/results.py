"""A run's records as files: the tables that grow while it runs, and what is made of all records at its end."""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, groupby, islice
from pathlib import Path
from typing import IO, Self

import numpy as np

from visavis.boxes import as_boxes
from visavis.command import InputError
from visavis.faces import Faces
from visavis.files import csv_rows, replaced
from visavis.formats import coco, voc, yolo
from visavis.look import Entry, look
from visavis.prediction.records import SIDES, Record
from visavis.sources import Input, ending, shown

FILE_COLUMNS = ("path", "status", "reason", "width", "height", "faces", "seconds")
FACE_COLUMNS = ("path", "face", *SIDES, "score")
FRAME_COLUMNS = ("frame", "time")
FILES, FACES, PAGE = "files.csv", "faces.csv", "look.html"

PAGE_PHOTOS = 5000
"""What a page has room for at a good size."""

Seen = tuple[Input, Record]


class Tables:
    """files.csv and faces.csv in a folder, each row there as soon as it is known. Use as a context manager.

    attributes: columns of faces.csv besides `FACE_COLUMNS`. faces: whether there is to be a faces.csv. videos: whether
    there is any among the inputs: files.csv then counts `frames`, and faces.csv tells the `frame` and its `time`.
    """

    def __init__(self, folder: Path, attributes: Iterable[str] = (), faces: bool = True, videos: bool = False) -> None:
        attributes = (*FRAME_COLUMNS, *attributes) if videos else attributes
        self._files, self._file_rows = _table(folder / FILES, (*FILE_COLUMNS, *(("frames",) if videos else ())))
        self._faces, self._face_rows = _table(folder / FACES, (*FACE_COLUMNS, *attributes)) if faces else (None, None)

    def add(self, record: Record) -> None:
        """Write the rows of one input, and flush them."""
        if self._faces is not None and self._face_rows is not None and record.faces:
            for _, together in groupby(record.faces, lambda face: face.get("frame")):
                for number, face in enumerate(together):
                    corners = {side: f"{face[side]:.2f}" for side in SIDES}
                    more = {"path": record.path, "face": number, "score": f"{face['score']:.4f}"}
                    self._face_rows.writerow(face | corners | more)
            self._faces.flush()
        row = {name: getattr(record, name) for name in ("path", "status", "reason", "width", "height")}
        if record.frames is not None:
            row["frames"] = record.frames
        row["faces"] = len(record.faces) if record.status == "ok" or record.frames else None
        self._file_rows.writerow(row | {"seconds": f"{record.seconds:.3f}"})
        self._files.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        for file in (self._files, self._faces):
            if file is not None:
                file.close()


class Report:
    """Tells each record where it is to be told, in the tables and on standard output, and counts."""

    def __init__(self, tables: Tables | None, stdout: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self._tables, self._stdout = tables, stdout

    def add(self, record: Record) -> None:
        """Tell of the next input."""
        self.counts[record.status] += 1
        self.counts["faces"] += len(record.faces)
        if self._tables is not None:
            self._tables.add(record)
        if self._stdout:
            print(record.as_json(), flush=True)

    @property
    def done(self) -> int:
        """Inputs told of."""
        return self.counts["ok"] + self.counts["unreadable"] + self.counts["skipped"]

    @property
    def status(self) -> int:
        """The exit status of a run with these records."""
        return 3 if self.counts["unreadable"] else 0

    def summary(self) -> str:
        """One line for the user."""
        failed = f"; {self.counts['unreadable']} could not be read" if self.counts["unreadable"] else ""
        skipped = f"; {self.counts['skipped']} skipped" if self.counts["skipped"] else ""
        why = f" ({FILES} says why)" if self._tables is not None and (failed or skipped) else ""
        return f"{self.counts['ok']} photos, {self.counts['faces']} faces{failed}{skipped}{why}"


def _table(path: Path, columns: Iterable[str]) -> tuple[IO[str], "csv.DictWriter[str]"]:
    file = path.open("w", encoding="utf-8", newline="")
    rows = csv_rows(file, columns)
    rows.writeheader()
    file.flush()
    return file, rows


def write_json(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """faces.json: a list of all records."""
    with replaced(out / "faces.json") as file:
        file.write("[")
        for number, (_, record) in enumerate(seen()):
            file.write((",\n" if number else "\n") + record.as_json())
        file.write("\n]\n")


def write_jsonl(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """faces.jsonl: a record a line."""
    with replaced(out / "faces.jsonl") as file:
        file.writelines(record.as_json() + "\n" for _, record in seen())


def write_coco(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """coco.json: `file_name` is the path as it was given; annotations have a `score`."""
    with replaced(out / "coco.json") as file:
        file.write('{"images": [')
        for number, (_, record) in enumerate(_read(seen()), start=1):
            entry = {"id": number, "file_name": record.path, "width": record.width, "height": record.height}
            file.write((",\n" if number > 1 else "\n") + json.dumps(entry))
        file.write('\n],\n"annotations": [')
        faces = 0
        for number, (_, record) in enumerate(_read(seen()), start=1):
            for face in record.faces:
                faces += 1
                more = {name: value for name, value in face.items() if name not in SIDES}
                entry = coco.annotation(faces, number, [face[side] for side in SIDES], **more)
                file.write((",\n" if faces > 1 else "\n") + json.dumps(entry))
        file.write(f'\n],\n"categories": {json.dumps(coco.CATEGORIES)}}}\n')


def write_yolo(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """yolo/: data.yaml, labels/, and links to the photos in images/."""
    folder = out / "yolo"
    for one, record in _read(seen()):
        size, boxes = _photo(record)
        _linked(one, folder / "images")
        with replaced(folder / "labels" / f"{one.place}.txt", durable=False) as file:
            file.writelines(yolo.label(box, size) for box in boxes)
    with replaced(folder / "data.yaml") as file:
        file.write(yolo.settings({"train": "images", "val": "images"}))


def write_voc(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """voc/: Annotations/, and links to the photos in JPEGImages/. `path` is the photo's, `score` a face's."""
    folder = out / "voc"
    for one, record in _read(seen()):
        size, boxes = _photo(record)
        name = shown(_linked(one, folder / voc.IMAGES))
        scores = [{"score": face["score"]} for face in record.faces]
        text = voc.annotation(name, size, zip(boxes, scores, strict=True), path=record.path)
        with replaced(folder / voc.ANNOTATIONS / f"{one.place}.xml", durable=False) as file:
            file.write(text)


def write_page(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """look.html: a page to look through all photos, with what was found in them; look-2.html has those after the first
    `PAGE_PHOTOS`, and so on."""
    shown = (_entry(one, record) for one, record in _read(seen()))
    for number in count(1):
        entries = list(islice(shown, PAGE_PHOTOS))
        if number > 1 and not entries:
            break
        look(entries, out / (PAGE if number == 1 else f"look-{number}.html"), "faces found")
    for old in count(number):  # of an earlier run that had more photos
        if not (out / f"look-{old}.html").exists():
            break
        (out / f"look-{old}.html").unlink()


def _entry(one: Input, record: Record) -> Entry:
    (height, width), boxes = _photo(record)
    faces = Faces(as_boxes(boxes), np.array([face["score"] for face in record.faces], np.float32))
    row = {"faces": str(len(faces)), "size": f"{width} x {height}", "reason": record.reason}
    return Entry(record.path, Path(one.path), found=faces, row={key: text for key, text in row.items() if text})


FORMATS: Mapping[str, Callable[[Path, Callable[[], Iterator[Seen]]], None]] = {
    "json": write_json,
    "jsonl": write_jsonl,
    "coco": write_coco,
    "yolo": write_yolo,
    "voc": write_voc,
}
"""Name -> what writes it into a folder. It may ask for the inputs and their records more than once: they are not all
in memory. csv is none of these: its tables grow while the run does (`Tables`)."""

OF_PHOTOS = ("coco", "yolo", "voc")
"""The formats that have no place for videos."""

WRITTEN = {"json": "faces.json", "jsonl": "faces.jsonl", "coco": "coco.json", "yolo": "yolo", "voc": "voc"}
"""Format -> the name of what it writes in the folder of results."""


def _read(seen: Iterator[Seen]) -> Iterator[Seen]:
    """The photos that were read. A video's frames are no files, which these formats are about."""
    return ((one, record) for one, record in seen if record.status == "ok" and record.frames is None)


def _photo(record: Record) -> tuple[tuple[int, int], list[list[float]]]:
    """Height and width, and the boxes, of a photo that was read."""
    assert record.height is not None and record.width is not None
    return (record.height, record.width), [[face[side] for side in SIDES] for face in record.faces]


def _linked(one: Input, folder: Path) -> str:
    """A symbolic link to the photo, where the format looks for it; its name below `folder`."""
    name = one.place + ending(one.path)
    goal = folder / name
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.symlink(os.path.abspath(one.path), goal)
    except OSError as error:
        raise InputError(f"cannot make the link {goal}: {error.strerror}; leave out --format yolo and voc") from None
    return name
