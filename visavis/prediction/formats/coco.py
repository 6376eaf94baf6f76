"""COCO's JSON of object detection, as coco.json: what its own API reads."""

import json
import os
from collections.abc import Iterable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import IO, Any

from visavis.files import replaced
from visavis.formats import coco
from visavis.keypoints import LAYOUTS
from visavis.prediction.formats.protocol import Records
from visavis.prediction.records import Face
from visavis.prediction.shots import Shot, properties, root, shots
from visavis.sources import shown

HIDDEN = 0.06
"""Of a face's longer side: a point that may be further off is taken for hidden."""
WRITES = "coco.json"
OF_PICTURES = True


def write(out: Path, records: Records) -> None:
    """Write coco.json. Names of files are relative to `info.root`, which is itself relative to the folder of coco.json.
    Images have the `path` of the input as in files.csv, and annotations a `score`; frames of a video have a `video_id`
    and a `frame_id`. The category names the keypoints, where they are one of visavis.keypoints.LAYOUTS."""
    above = root(shots(records(), out))
    info = {"root": shown(os.path.relpath(os.path.realpath(above), os.path.realpath(out)))}
    videos = {record.path: number for number, (_, record) in enumerate(records(), start=1) if record.frames is not None}

    def image(number: int, shot: Shot) -> dict[str, Any]:
        name = shown(os.path.relpath(os.path.abspath(shot.file), above))
        entry = {"id": number, "file_name": name, "width": shot.width, "height": shot.height, "path": shot.path}
        return entry | ({"video_id": videos[shot.path], "frame_id": shot.frame} if shot.frame is not None else {})

    counts: set[int] = set()

    def annotations() -> Iterator[dict[str, Any]]:
        faces = count(1)
        for number, shot in enumerate(shots(records(), out), start=1):
            for face, box in zip(shot.rows, shot.boxes, strict=True):
                counts.add(len(face.get("keypoints") or ()))
                yield coco.annotation(next(faces), number, box, **properties(face), **points(face))

    with replaced(out / WRITES) as file:
        file.write(f'{{"info": {json.dumps(info)},\n"images": ')
        write_list(file, (image(number, shot) for number, shot in enumerate(shots(records(), out), start=1)))
        file.write(',\n"annotations": ')
        write_list(file, annotations())
        if videos:
            file.write(',\n"videos": ')
            write_list(file, ({"id": number, "name": name} for name, number in videos.items()))
        named = [one | skeleton(max(counts, default=0)) for one in coco.CATEGORIES]
        file.write(f',\n"categories": {json.dumps(named)}}}\n')


def points(face: Face) -> dict[str, Any]:
    """Keypoints in COCO's form: x, y and 2, which means visible, 1 for one that is likely hidden, or three zeros."""
    points = face.get("keypoints")
    if points is None:
        return {}
    limit = HIDDEN * max(face["x2"] - face["x1"], face["y2"] - face["y1"])
    hidden = [error is not None and error > limit for error in face.get("errors") or [None] * len(points)]
    cells = [(*point, 1 if one else 2) if point else (0, 0, 0) for point, one in zip(points, hidden, strict=True)]
    return {
        "keypoints": [value for cell in cells for value in cell],
        "num_keypoints": sum(point is not None for point in points),
    }


def skeleton(count: int) -> dict[str, Any]:
    """The names of so many keypoints, and which of them are joined, counted from 1; none where they have no layout."""
    if (layout := LAYOUTS.get(count)) is None:
        return {}
    paths = [[number + 1 for number in (*numbers, *numbers[: int(closed)])] for numbers, closed in layout.lines]
    return {"keypoints": layout.names, "skeleton": [pair for path in paths for pair in pairwise(path)]}


def write_list(file: IO[str], entries: Iterable[object]) -> None:
    """Write a JSON list with one entry on each line."""
    file.write("[")
    for number, entry in enumerate(entries):
        file.write((",\n" if number else "\n") + json.dumps(entry))
    file.write("\n]")
