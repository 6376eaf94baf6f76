"""A run of `visavis people` after its photos were searched: it sorts the faces and writes all that is in the folder."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from visavis import images
from visavis.analysers.identity.cache import FILE, Cache
from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.identity.folders import ALONE
from visavis.analysers.identity.known import Gallery
from visavis.errors import ImageError
from visavis.files import csv_rows, replaced
from visavis.images import ALREADY_READ
from visavis.messages import counted, say
from visavis.people import page, table
from visavis.people.album import Album, encoder
from visavis.people.folders import Folders
from visavis.people.sorting import Sorted, corrected, recognised, sort
from visavis.people.table import Face
from visavis.prediction.crops import Crops
from visavis.reduced_photos import read_unchanged
from visavis.sources import shown
from visavis.workers import WorkerDied, Workers

FILES = "files.csv"
CROPS = Crops(margin=0.5, square=True)
"""With room enough around a face for it to be found in the crop once more."""
SIDE = 320
"""The most pixels of a crop's side."""
NAMED = 5
"""How many notes of a kind are printed."""


def arrange(
    album: Album, out: Path, detector: str, gallery: Gallery | None, tolerance: float | None, workers: Workers
) -> None:
    """Sort the faces of an album, and write crops, tables and pages.

    detector: as in `visavis.people.album.searched`. gallery, tolerance: as in `sort`.
    """
    folders = Folders(out)
    faces, encodings = _faces(album, out, detector)
    faces = corrected(faces, folders)
    result = sort(faces, encodings, folders.people, gallery, tolerance)
    kept = _put(result.faces, faces, folders, album, workers)
    crops = [shown(str(folders.places[face.name])) if face.person else "" for face in kept]
    table.write(out, kept, crops)
    _write_files(album, kept, out)
    page.write(out, kept, folders)
    uncompared = [faces[number] for number in np.flatnonzero(np.isnan(encodings).any(axis=1))]
    for line in _summary(album, replace(result, faces=kept), folders, uncompared, out):
        say(line)


def _faces(album: Album, out: Path, detector: str) -> tuple[list[Face], Encodings]:
    """All faces of the album, and those that earlier runs found in other photos; and their encodings, (N, size)."""
    before: dict[bytes, list[Face]] = {}
    for face in table.read(out).values():
        before.setdefault(face.photo, []).append(face)
    faces: list[Face] = []
    with Cache(out / FILE, encoder().name) as kept:
        for photo in album.photos:
            boxes = kept.boxes(photo.sha256, detector)
            assert boxes is not None  # it was searched
            faces += recognised(photo.sha256, boxes, photo.paths, before.pop(photo.sha256, []))
        faces += [face for others in before.values() for face in others]
        encodings = np.empty((len(faces), encoder().size), np.float32)
        for row, face in zip(encodings, faces, strict=True):
            row[:] = kept.get(face.photo, face.box[None], encoder().size)[0]
    return faces, encodings


def _put(faces: Sequence[Face], before: Sequence[Face], folders: Folders, album: Album, workers: Workers) -> list[Face]:
    """Move crops to where their faces belong, and write those that are missing. Returns the faces that have a crop now,
    and those whose crop the user removed."""
    missing: dict[bytes, list[Face]] = {}
    for face, old in zip(faces, before, strict=True):
        if face.person and face.name not in folders.places:
            missing.setdefault(face.photo, []).append(face)
        elif face.person and face.person != old.person:
            folders.move(face.name, face.person)
    cutting = []
    for photo in album.photos:
        if some := missing.get(photo.sha256):
            files = [folders.reserved(face.name, str(face.person), photo.paths[0]) for face in some]
            boxes = np.array([face.box for face in some])
            cutting.append((photo, some, workers.submit(_cut, photo.file, photo.sha256, boxes, files)))
    lost: set[str] = set()
    for photo, some, job in tqdm(cutting, unit="photo", desc="crops", disable=None):
        try:
            job.result()
        except (ImageError, WorkerDied) as error:
            say(f"{photo.paths[0]}: its faces are left out until the next run, since it cannot be read again ({error})")
            lost |= {face.name for face in some}
    if cutting:
        os.sync()  # after a power cut, a crop that is not there would be taken for one that the user removed
    return [face for face in faces if face.name not in lost]


def _cut(path: str, expected: bytes, boxes: NDArray[np.float32], files: Sequence[Path]) -> None:
    """In a worker: write a JPEG file of each face in a photo. Raises ImageError, also where the photo has changed."""
    picture = images.decode(read_unchanged(path, expected), ALREADY_READ)
    for box, file in zip(boxes, files, strict=True):
        small, _ = images.fit(CROPS.cut(picture, box), SIDE)
        with replaced(file, "wb", durable=False) as crop:
            crop.write(images.encode(small))


def _write_files(album: Album, faces: Sequence[Face], out: Path) -> None:
    """Replace files.csv: a row for each input."""
    counts = Counter(path for face in faces for path in face.paths)
    with replaced(out / FILES) as file:
        rows = csv_rows(file, ("path", "status", "reason", "faces"))
        rows.writeheader()
        for one in album.outcomes:
            count = counts[one.path] if one.status == "ok" else ""
            rows.writerow({"path": one.path, "status": one.status, "reason": one.reason, "faces": count})


def _summary(album: Album, result: Sorted, folders: Folders, uncompared: list[Face], out: Path) -> Iterator[str]:
    """Messages for the user, a line each. uncompared: faces that have no encoding."""
    people = Counter(face.person for face in result.faces if face.person)
    alone = people.pop(ALONE, 0)
    photos = sum(one.status == "ok" for one in album.outcomes)
    yield (
        f"{counted(photos, 'photo')}; {counted(people.total() + alone, 'face')}: {people.total()} in "
        f"{counted(len(people), 'folder')} of people, {alone} seen once; this run put {result.added} into folders of "
        f"people, {result.joined} of them into one that was there (tolerance {result.tolerance:.3f}); results in {out}"
    )
    failed = [f"{one.path} ({one.reason})" for one in album.outcomes if one.status == "unreadable"]
    yield from _some(failed, "could not be read")
    if videos := sum(one.reason == "video" for one in album.outcomes):
        yield (
            f"{counted(videos, 'video')} left out: people are found in photos alone. `visavis predict VIDEO --crops "
            "best --out FOLDER` writes a picture of each person of a video to FOLDER/crops; give that as photos"
        )
    here = {photo.sha256 for photo in album.photos}
    if unclear := sum(face.photo in here for face in uncompared):
        yield f"{counted(unclear, 'face')} could not be compared: no encoding could be made of them"
    if deleted := len(uncompared) - unclear:
        yield (
            f"{counted(deleted, 'face')} could not be compared: their encodings are deleted, and their photos are not "
            "among these; they stay where they are"
        )
    if removed := sum(face.person == "" for face in result.faces):
        yield f"{counted(removed, 'face')} left out, since the crops were removed"
    yield from _some([f"{one} and {other}" for one, other in result.alike],
                     "seem to be one person; to join them, move all crops into one of the folders")  # fmt: skip
    yield from folders.notes[:NAMED]
    yield f"encodings are kept in {out / FILE}; `visavis people --out {out} --forget` deletes them"


def _some(names: list[str], what: str) -> Iterator[str]:
    for name in names[:NAMED]:
        yield f"{name} {what}"
    if len(names) > NAMED:
        yield f"... and {len(names) - NAMED} more"
