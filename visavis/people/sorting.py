"""Which face goes into which person's folder: those that lie in one stay there, the others join them or form new
ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visavis.analysers.identity.calibration import KNOWN, calibration_of, posterior
from visavis.analysers.identity.encoders import DEFAULT
from visavis.analysers.identity.encoding import Encodings
from visavis.analysers.identity.folders import ALONE
from visavis.analysers.identity.grouping import NOBODY, alike, apart, grouped, tolerance_for
from visavis.analysers.identity.known import Gallery
from visavis.boxes import as_boxes, iou
from visavis.people.folders import Folders, following, name_of, numbered
from visavis.people.table import Face, PlacedBy

SAME = 0.5
"""IoU from which on a box is of a face that was found before: another version of a detector moves boxes."""


@dataclass(frozen=True)
class Sorted:
    """The faces in their places. alike: pairs of folders that seem to be one person's. tolerance: of the grouping.
    added: how many faces were put into a folder. joined: how many of these into one that was there."""

    faces: list[Face]
    alike: list[tuple[str, str]]
    tolerance: float
    added: int
    joined: int


def recognised(photo: bytes, boxes: NDArray[np.float32], paths: list[str], before: Sequence[Face]) -> list[Face]:
    """The faces of a photo: those of before (of the same photo), where they are found now, and new ones for boxes that
    are none of theirs."""
    known = [replace(face, paths=paths) for face in before]
    overlaps = iou(as_boxes(boxes), as_boxes([face.box for face in known]))
    used, number = {face.name for face in known}, 0
    faces = list(known)
    for box, row in zip(boxes, overlaps, strict=True):
        if (row >= SAME).any():
            faces[row.argmax()] = replace(faces[row.argmax()], box=box)
            continue
        while name_of(photo, number) in used:
            number += 1
        faces.append(Face(name_of(photo, number), photo, box, paths))
        used.add(faces[-1].name)
    return faces


def corrected(faces: Sequence[Face], folders: Folders) -> list[Face]:
    """The faces with their persons as the folders have them, which the user may have changed."""
    return [_corrected(face, folders.person(face.name)) for face in faces]


def _corrected(face: Face, there: str | None) -> Face:
    if there == face.person or (there is None and face.person == ""):
        return face
    placed_by: PlacedBy = "grouping" if face.person is None else "hand"
    return replace(face, person=there or "", placed_by=placed_by)  # a crop that was removed stays so


def sort(
    faces: Sequence[Face],
    encodings: Encodings,
    folders: Sequence[str],
    gallery: Gallery | None,
    tolerance: float | None,
) -> Sorted:
    """Put the faces that are in nobody's folder into one.

    faces: `corrected`. encodings: (N, size), NaN where there is none: these faces stay where they are. folders: the
    names of all that there are. gallery: further people. tolerance: by default `tolerance_for` so many faces.
    """
    known = [str(one.person) for one in faces if _in_folder(one)]
    people = list(dict.fromkeys([*(gallery.people if gallery is not None else ()), *known]))
    numbers = {person: number for number, person in enumerate(people)}
    before = [numbers[str(one.person)] if _in_folder(one) else NOBODY for one in faces]
    photos = np.unique([one.photo.hex() for one in faces], return_inverse=True)[1] if faces else np.zeros(0, np.int64)
    used = np.flatnonzero([_in_folder(one) or _waits(one) for one in faces])
    used = used[~np.isnan(encodings[used]).any(axis=1)]
    rows, groups, where = encodings[used], np.array(before, np.int64)[used], photos[used]
    if gallery is not None:
        rows = np.concatenate([rows, gallery.encodings])
        groups = np.concatenate([groups, [numbers[gallery.people[owner]] for owner in gallery.owners]])
        where = np.concatenate([where, -1 - np.arange(len(gallery.owners))])
    tolerance = tolerance_for(len(rows)) if tolerance is None else tolerance
    after = grouped(rows, tolerance, groups, where, len(people))  # of some people no face may have an encoding
    names = people + _new_names(after, len(people), [*folders, *people])
    away = apart(rows, after)
    calibration = gallery.calibration if gallery is not None else calibration_of(DEFAULT)
    chances = posterior(calibration.log_odds(away)[:, None], KNOWN / max(1, len(np.unique(after))))[:, 0]
    sorted_faces = list(faces)
    for face, group, distance, chance in zip(
        used.tolist(), after.tolist(), away.tolist(), chances.tolist(), strict=False
    ):
        alone = np.isnan(distance)
        sorted_faces[face] = replace(
            faces[face],
            person=names[group],
            distance=None if alone else distance,
            probability=None if alone else chance,
        )
    settled = groups != NOBODY
    pairs = alike(rows[settled], groups[settled], tolerance)
    new = [face for face in used if not _in_folder(faces[face]) and sorted_faces[face].person != ALONE]
    return Sorted(
        [replace(face, person=ALONE) if face.person is None else face for face in sorted_faces],
        [(people[one], people[other]) for one, other in pairs],
        tolerance,
        len(new),
        sum(sorted_faces[face].person in numbers for face in new),
    )


def _in_folder(face: Face) -> bool:
    return face.person not in (None, "", ALONE)


def _waits(face: Face) -> bool:
    """Whether it is in no folder, or alone, and not because the user wants it so."""
    return face.person is None or (face.person == ALONE and face.placed_by == "grouping")


def _new_names(groups: NDArray[np.int64], first: int, taken: Sequence[str]) -> list[str]:
    """The folders of the groups from number `first` on: `ALONE` of a single face; otherwise numbers that no folder has,
    the largest group first."""
    sizes = np.bincount(groups, minlength=first)[first:] if len(groups) else np.zeros(0, np.int64)
    names, number = [ALONE] * len(sizes), following(taken)
    for group in np.argsort(-sizes, kind="stable"):
        if sizes[group] > 1:
            names[group] = numbered(number)
            number += 1
    return names
