"""The tables of a run, which grow with each record, and the summary at its end."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Self

from visavis.boxes import SIDES
from visavis.detectors.protocol import Detector, about
from visavis.files import csv_rows
from visavis.messages import counted
from visavis.prediction import masks, tracks
from visavis.prediction.analysis import Analysis
from visavis.prediction.records import Face, Record

FILE_COLUMNS = ("path", "status", "reason", "width", "height", "faces", "left_out", "unsure", "seconds")
FACE_COLUMNS = ("path", "face", *SIDES, "score")
FRAME_COLUMNS = ("frame", "time", "track")
FILES, FACES = "files.csv", "faces.csv"


NAMED = 3
"""How many of the inputs that could not be read the summary names."""


@dataclass(frozen=True)
class FaceFields:
    """The fields of a face besides its box and its score.

    attributes: the names in visavis.faces.Faces.attributes. keypoints: the names of the keypoints, in order.
    """

    attributes: Sequence[str] = ()
    keypoints: Sequence[str] = ()

    @classmethod
    def of(cls, detector: Detector, analysis: Analysis = Analysis()) -> Self:
        """Those that the detector and, after it, the analysers declare."""
        known, more = about(detector), analysis.loaded()
        return cls((*known.attributes, *more.attributes), more.keypoints or known.keypoints)

    @property
    def columns(self) -> list[str]:
        """Those of the keypoints: nose_x, nose_y ..."""
        return [f"{name}_{axis}" for name in self.keypoints for axis in "xy"]

    def cells(self, face: Face) -> dict[str, str]:
        """The cells of a face in these columns."""
        points = face.get("keypoints", ())
        values = [f"{value:.2f}" if point else "" for point in points for value in point or (0, 0)]
        return dict(zip(self.columns, values, strict=False))


class Tables:
    """files.csv and faces.csv in a folder; each row is written as soon as it is known. Close it after use.

    fields: the columns of faces.csv besides box and score. faces: whether to write faces.csv. videos: whether any input
    is a video: files.csv then counts `frames`, and faces.csv has each face's `frame`, its `time`, and the number of its
    person, `track`.
    """

    def __init__(
        self, folder: Path, fields: FaceFields = FaceFields(), faces: bool = True, videos: bool = False
    ) -> None:
        self._fields = fields
        self._columns = (*FACE_COLUMNS, *(FRAME_COLUMNS if videos else ()), *fields.attributes, *fields.columns)
        self._files, self._file_rows = _table(folder / FILES, (*FILE_COLUMNS, *(("frames",) if videos else ())))
        self._faces, self._face_rows = _table(folder / FACES, self._columns) if faces else (None, None)

    def add(self, record: Record) -> None:
        """Write the rows of one input, and flush them."""
        if self._faces is not None and self._face_rows is not None and record.faces:
            for _, together in groupby(record.faces, lambda face: face.get("frame")):
                for number, face in enumerate(together):
                    corners = {side: f"{face[side]:.2f}" for side in SIDES}
                    more = {"path": record.path, "face": number, "score": f"{face['score']:.4f}"}
                    row = face | corners | more | self._fields.cells(face)
                    self._face_rows.writerow({name: row[name] for name in self._columns if name in row})
            self._faces.flush()
        row = {name: getattr(record, name) for name in ("path", "status", "reason", "width", "height")}
        if record.frames is not None:
            row["frames"] = record.frames
        if record.status == "ok" or record.frames:
            row |= {"faces": len(record.faces), "left_out": record.left_out, "unsure": record.unsure}
        self._file_rows.writerow(row | {"seconds": f"{record.seconds:.3f}"})
        self._files.flush()

    def close(self) -> None:
        """Close the files."""
        for file in (self._files, self._faces):
            if file is not None:
                file.close()


class Report:
    """Writes each record to the tables and, if asked to, to standard output, and counts them."""

    def __init__(self, tables: Tables | None, stdout: bool = False) -> None:
        self.counts: Counter[str] = Counter()
        self._failed: list[str] = []
        self._tables, self._stdout = tables, stdout

    def add(self, record: Record) -> None:
        """Take the record of the next input."""
        self.counts[record.status] += 1
        self.counts["faces" if record.frames is None else "faces in frames"] += len(record.faces)
        self.counts["left_out"] += record.left_out
        self.counts["unsure"] += record.unsure
        self.counts["people"] += len(tracks.people(record))
        self.counts.update({f"mask {name}": count for name, count in masks.counts(record.faces).items()})
        if record.status == "unreadable" and len(self._failed) < NAMED:
            self._failed.append(f"{record.path} ({record.reason})")
        if record.status == "ok":
            self.counts["photos" if record.frames is None else "videos"] += 1
        self.counts["frames"] += record.frames or 0
        if self._tables is not None:
            self._tables.add(record)
        if self._stdout:
            print(record.as_json(), flush=True)

    @property
    def done(self) -> int:
        """The number of inputs that have a record."""
        return self.counts["ok"] + self.counts["unreadable"] + self.counts["skipped"]

    @property
    def status(self) -> int:
        """The exit status of a run with these records."""
        return 3 if self.counts["unreadable"] else 0

    def summary(self) -> str:
        """One line for the user."""
        photos, videos = self.counts["photos"], self.counts["videos"]
        faces, in_frames = counted(self.counts["faces"], "face"), counted(self.counts["faces in frames"], "face")
        kinds = [f"{counted(photos, 'photo')}, {faces}"] if photos or not videos else []
        if videos or self.counts["frames"]:  # one person has a face in each frame
            frames, people = counted(self.counts["frames"], "frame"), self.counts["people"]
            of = f" of {counted(people, 'person', 'people')}" if people else ""
            kinds.append(f"{counted(videos, 'video')}, {in_frames}{of} in {frames} searched")
        small = f"; {counted(self.counts['left_out'], 'smaller face')} left out" if self.counts["left_out"] else ""
        unsure = f"; {self.counts['unsure']} more redacted, too unsure to report" if self.counts["unsure"] else ""
        failed = ""
        if self.counts["unreadable"]:
            more = ", ..." if self.counts["unreadable"] > len(self._failed) else ""
            failed = f"; {self.counts['unreadable']} could not be read: {', '.join(self._failed)}{more}"
        skipped = f"; {self.counts['skipped']} skipped" if self.counts["skipped"] else ""
        why = f" ({FILES} says why)" if self._tables is not None and (failed or skipped) else ""
        worn = [self.counts[f"mask {name}"] for name in masks.STATES]
        listed = ", ".join(f"{count} {name}" for count, name in zip(worn, masks.STATES, strict=True))
        shown = f" (mask: {listed})" if any(worn) else ""
        return f"{'; '.join(kinds)}{shown}{small}{unsure}{failed}{skipped}{why}"


def _table(path: Path, columns: Iterable[str]) -> tuple[IO[str], "csv.DictWriter[str]"]:
    file = path.open("w", encoding="utf-8", newline="")
    rows = csv_rows(file, columns)
    rows.writeheader()
    file.flush()
    return file, rows
