"""A run's records as files: the tables that grow while it runs, and what is made of all records at its end."""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from pathlib import Path
from typing import IO, Any, Self

from visavis.detectors.protocol import Detector, about
from visavis.errors import InputError
from visavis.files import csv_rows, replaced
from visavis.formats import coco, voc, yolo
from visavis.page import Entry, look
from visavis.prediction import frames
from visavis.prediction.analysis import Analysis
from visavis.prediction.records import SIDES, Face, Record
from visavis.prediction.shots import Shot, root, shots
from visavis.sources import Input, shown

FILE_COLUMNS = ("path", "status", "reason", "width", "height", "faces", "seconds")
FACE_COLUMNS = ("path", "face", *SIDES, "score")
FRAME_COLUMNS = ("frame", "time")
FILES, FACES, PAGE = "files.csv", "faces.csv", "look.html"

PAGE_PHOTOS = 5000
"""What a page has room for at a good size."""

Seen = tuple[Input, Record]


@dataclass(frozen=True)
class Told:
    """What a detector tells of a face besides its box and its score.

    attributes: names of visavis.faces.Faces.attributes. keypoints: names of its keypoints, in their order.
    """

    attributes: Sequence[str] = ()
    keypoints: Sequence[str] = ()

    @classmethod
    def by(cls, detector: Detector, analysis: Analysis = Analysis()) -> Self:
        """What the detector, and after it the analysers, say of themselves."""
        known, more = about(detector), analysis.loaded()
        return cls((*known.attributes, *more.attributes), more.keypoints or known.keypoints)

    @property
    def columns(self) -> list[str]:
        """Of keypoints: nose_x, nose_y ..."""
        return [f"{name}_{axis}" for name in self.keypoints for axis in "xy"]

    def cells(self, face: Face) -> dict[str, str]:
        """What stands in these columns."""
        values = [f"{value:.2f}" for point in face.get("keypoints", ()) for value in point]
        return dict(zip(self.columns, values, strict=False))


class Tables:
    """files.csv and faces.csv in a folder, each row there as soon as it is known. Use as a context manager.

    told: what the detector tells of faces besides. faces: whether there is to be a faces.csv. videos: whether there is
    any among the inputs: files.csv then counts `frames`, and faces.csv tells the `frame` and its `time`.
    """

    def __init__(self, folder: Path, told: Told = Told(), faces: bool = True, videos: bool = False) -> None:
        self._told = told
        self._columns = (*FACE_COLUMNS, *(FRAME_COLUMNS if videos else ()), *told.attributes, *told.columns)
        self._files, self._file_rows = _table(folder / FILES, (*FILE_COLUMNS, *(("frames",) if videos else ())))
        self._faces, self._face_rows = _table(folder / FACES, self._columns) if faces else (None, None)

    def add(self, record: Record) -> None:
        """Write the rows of one input, and flush them."""
        if self._faces is not None and self._face_rows is not None and record.faces:
            for _, together in groupby(record.faces, lambda face: face.get("frame")):
                for number, face in enumerate(together):
                    corners = {side: f"{face[side]:.2f}" for side in SIDES}
                    more = {"path": record.path, "face": number, "score": f"{face['score']:.4f}"}
                    row = face | corners | more | self._told.cells(face)
                    self._face_rows.writerow({name: row[name] for name in self._columns if name in row})
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


def forget(out: Path) -> None:
    """Remove the tables and pages of an earlier run, before one that may write others."""
    names = (FACES, PAGE, *(name for name in WRITTEN.values() if "." in name))
    for path in (*(out / name for name in names), *out.glob("look-[0-9]*.html")):
        path.unlink(missing_ok=True)


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
    """coco.json: names of files below `info.root`, a folder that starts from the one of coco.json itself. Images have a
    `path`, the input's as in files.csv, annotations a `score`; a video's frames say which of which video they are."""
    above = root(shots(seen(), out))
    info = {"root": shown(os.path.relpath(os.path.realpath(above), os.path.realpath(out)))}
    videos = {record.path: number for number, (_, record) in enumerate(seen(), start=1) if record.frames is not None}

    def image(number: int, shot: Shot) -> dict[str, Any]:
        name = shown(os.path.relpath(os.path.abspath(shot.file), above))
        entry = {"id": number, "file_name": name, "width": shot.width, "height": shot.height, "path": shot.told}
        return entry | ({"video_id": videos[shot.told], "frame_id": shot.frame} if shot.frame is not None else {})

    def annotations() -> Iterator[dict[str, Any]]:
        faces = count(1)
        for number, shot in enumerate(shots(seen(), out), start=1):
            for face, box in zip(shot.rows, shot.boxes, strict=True):
                yield coco.annotation(next(faces), number, box, **_besides(face), **_points(face))

    with replaced(out / "coco.json") as file:
        file.write(f'{{"info": {json.dumps(info)},\n"images": ')
        _write_list(file, (image(number, shot) for number, shot in enumerate(shots(seen(), out), start=1)))
        file.write(',\n"annotations": ')
        _write_list(file, annotations())
        if videos:
            file.write(',\n"videos": ')
            _write_list(file, ({"id": number, "name": name} for name, number in videos.items()))
        file.write(f',\n"categories": {json.dumps(coco.CATEGORIES)}}}\n')


def write_yolo(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """yolo/: data.yaml, labels/, and links to the photos in images/. Labels of photos in a folder images/ of their own
    are where YOLO's rule looks for them."""
    folder = out / "yolo"
    _forget(folder / "images", yolo.labels_of)
    for shot in shots(seen(), out):
        labels = yolo.labels_of(folder / "images" / f"{shot.place}.txt")
        _link(shot, folder / "images")
        with replaced(labels, durable=False) as file:
            file.writelines(yolo.label(box, shot.size) for box in shot.boxes)
    with replaced(folder / "data.yaml") as file:
        file.write(yolo.settings({"train": "images", "val": "images"}))


def write_voc(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """voc/: Annotations/, and links to the photos in JPEGImages/. `path` is the input's, `score` a face's, and so are
    the attributes."""
    folder = out / "voc"
    pictures, annotations = folder / voc.IMAGES, folder / voc.ANNOTATIONS
    _forget(pictures, lambda link: (annotations / link.relative_to(pictures)).with_suffix(".xml"))
    for shot in shots(seen(), out):
        _link(shot, pictures)
        told = [_besides(face) for face in shot.rows]
        text = voc.annotation(shown(shot.name), shot.size, zip(shot.boxes, told, strict=True), path=shot.told)
        with replaced(annotations / f"{shot.place}.xml", durable=False) as file:
            file.write(text)


def _forget(pictures: Path, told: Callable[[Path], Path]) -> None:
    """Remove the links that an earlier run made, perhaps to other pictures, each with what is told of it."""
    for folder, _, names in os.walk(pictures):
        for link in (Path(folder, name) for name in names):
            if link.is_symlink():
                told(link).unlink(missing_ok=True)
                link.unlink()


def write_page(out: Path, seen: Callable[[], Iterator[Seen]]) -> None:
    """look.html: a page to look through all photos, with what was found in them, and through some frames of videos with
    faces; look-2.html has those after the first `PAGE_PHOTOS`, and so on."""
    entries = map(_entry, _on_page(seen(), out))
    for number in count(1):
        some = list(islice(entries, PAGE_PHOTOS))
        if number > 1 and not some:
            break
        look(some, out / (PAGE if number == 1 else f"look-{number}.html"), "faces found")
    for old in count(number):  # of an earlier run that had more photos
        if not (out / f"look-{old}.html").exists():
            break
        (out / f"look-{old}.html").unlink()


def _on_page(seen: Iterator[Seen], out: Path) -> Iterator[Shot]:
    for video, together in groupby(shots(seen, out), lambda shot: shot.told if shot.frame is not None else ""):
        if not video:
            yield from together
        else:
            yield from frames.spread([shot for shot in together if shot.rows])


def _entry(shot: Shot) -> Entry:
    row = {"faces": str(len(shot.rows)), "reason": shot.reason}
    which = "" if shot.frame is None else f" {shot.rows[0]['time']:.1f} s"
    return Entry(
        shot.told + which, Path(shot.file), found=shot.faces, row={key: text for key, text in row.items() if text}
    )


FORMATS: Mapping[str, Callable[[Path, Callable[[], Iterator[Seen]]], None]] = {
    "json": write_json,
    "jsonl": write_jsonl,
    "coco": write_coco,
    "yolo": write_yolo,
    "voc": write_voc,
}
"""Name -> what writes it into a folder. It may ask for the inputs and their records more than once: they are not all
in memory. csv is none of these: its tables grow while the run does (`Tables`)."""

OF_PICTURES = ("coco", "yolo", "voc")
"""The formats that speak of files of pictures: frames of videos become such."""

WRITTEN = {"json": "faces.json", "jsonl": "faces.jsonl", "coco": "coco.json", "yolo": "yolo", "voc": "voc"}
"""Format -> the name of what it writes in the folder of results."""


def _besides(face: Face) -> dict[str, Any]:
    """Score and attributes."""
    return {name: value for name, value in face.items() if name not in (*SIDES, "keypoints")}


def _points(face: Face) -> dict[str, Any]:
    """Keypoints as COCO has them: x, y and 2, which means visible."""
    points = face.get("keypoints")
    return {} if points is None else {
        "keypoints": [value for x, y in points for value in (x, y, 2)], "num_keypoints": len(points)
    }  # fmt: skip


def _write_list(file: IO[str], entries: Iterable[object]) -> None:
    """JSON, an entry a line."""
    file.write("[")
    for number, entry in enumerate(entries):
        file.write((",\n" if number else "\n") + json.dumps(entry))
    file.write("\n]")


def _link(shot: Shot, folder: Path) -> None:
    """A symbolic link to the picture, where the format looks for it."""
    goal = folder / shot.name
    goal.parent.mkdir(parents=True, exist_ok=True)
    goal.unlink(missing_ok=True)
    try:
        os.symlink(os.path.abspath(shot.file), goal)
    except OSError as error:
        raise InputError(f"cannot make the link {goal}: {error.strerror}; leave out `format` yolo and voc") from None
