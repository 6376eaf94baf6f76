"""From the inspections of all photos to a verdict on each: the rows of clean.csv and faces.csv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clean import duplicates, faceless, others
from clean.duplicates import Candidate, Duplicates
from clean.faceless import Found
from clean.finders import Finder
from clean.inspection import Inspection, ListedPhoto
from clean.likeness import Likeness
from clean.shelf import Shelf
from visavis.boxes import as_boxes
from visavis.evaluation import conventions
from visavis.evaluation.conventions import Shift

Inspections = Sequence[tuple[ListedPhoto, Inspection]]

CHANGED = (
    "not the bytes that were downloaded: its sha256 differs from that in downloads.csv; "
    "if you changed it yourself, empty that field"
)
"""Only the hash reveals damage that still decodes, such as a changed table in a JPEG's header."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to keep a photo; if not, the reason (a keyword) and its detail; its rows of faces.csv (if kept).

    group: the name, after one of them, of a group of photos that look alike; empty for a photo like no other.
    kept_for: the photo that is kept instead of this duplicate.
    """

    image_id: str
    keep: bool
    reason: str = ""
    detail: str = ""
    faces: list[dict[str, str]] = field(default_factory=list)
    group: str = ""
    kept_for: str = ""


def shifts(inspections: Inspections, asked: dict[str, Finder]) -> dict[str, Shift]:
    """For each finder, by name, the shift from its boxes to the labels of these photos."""
    return {name: conventions.estimate(_sure_finds(inspections, name, finder)) for name, finder in asked.items()}


def judge(inspections: Inspections, asked: dict[str, Finder], moves: dict[str, Shift], once: bool) -> Shelf[Verdict]:
    """The verdicts on the photos, in their order, which is that of their image_ids. asked: the finders, by name;
    without any, faces are not judged.

    moves: from `shifts`. once: whether only one of several copies is kept; groups are found in any case.
    """
    alone: Shelf[Verdict] = Shelf()
    candidates: Shelf[Candidate] = Shelf()
    for photo, inspection in inspections:
        verdict, overlap = _judge_one(photo, inspection, asked, moves)
        alone.append(verdict)
        if verdict.keep:
            quality = (overlap, float(photo.curated), photo.score)
            looks_like = Likeness.parse(inspection.likeness) if inspection.likeness else None
            candidates.append(Candidate(photo.image_id, photo.identity, inspection.sha256, quality, looks_like))
    found = duplicates.judge(candidates)
    return Shelf(_among_all(verdict, found, once) for verdict in alone)


def _among_all(alone: Verdict, found: Duplicates, once: bool) -> Verdict:
    """The verdict on a photo, once the duplicates are known."""
    image_id = alone.image_id
    grouped = replace(alone, group=found.groups[image_id]) if image_id in found.groups else alone
    if not once or image_id not in found.verdicts:
        return grouped
    keep, detail = found.verdicts[image_id]
    if keep:
        return replace(grouped, detail="; ".join(said for said in (detail, alone.detail) if said))
    kept_for = found.kept_for[image_id]
    return replace(grouped, keep=False, reason="duplicate", detail=detail, faces=[], kept_for=kept_for)


def _judge_one(
    photo: ListedPhoto, inspection: Inspection, asked: dict[str, Finder], moves: dict[str, Shift]
) -> tuple[Verdict, float]:
    """The verdict on one photo on its own, and its label's best overlap with a detection (IoU)."""
    if inspection.reason:
        return Verdict(photo.image_id, False, inspection.reason, inspection.detail), 0.0
    if photo.sha256 and photo.sha256 != inspection.sha256 and not inspection.removed:
        return Verdict(photo.image_id, False, "changed", CHANGED), 0.0
    if inspection.removed:
        return Verdict(photo.image_id, False, inspection.removed, inspection.detail), 0.0
    note = f"the first of {inspection.frames} frames" if inspection.frames > 1 else ""
    labels = as_boxes(photo.boxes)
    found = [_found(inspection, name, finder, moves[name]) for name, finder in asked.items()]
    if not photo.boxes:
        sure = [one.finder for one in found if others.unknown(one.boxes[one.scores >= one.sure], photo.given).any()]
        if sure:
            return Verdict(photo.image_id, False, "unlabelled", f"no label, but {', '.join(sure)} detects a face"), 0.0
        return Verdict(photo.image_id, True, detail=note), 0.0
    overlap = 0.0
    if found:
        reason, detail, overlap = faceless.judge(labels, (inspection.height, inspection.width), found)
        if reason:
            return Verdict(photo.image_id, False, reason, detail), overlap
    return Verdict(photo.image_id, True, detail=note, faces=others.rows(photo, labels, found)), overlap


def _found(inspection: Inspection, name: str, finder: Finder, shift: Shift) -> Found:
    rows = inspection.rows(name)
    return Found(name, shift.move(rows[:, :4]), rows[:, 4], finder.at_label, finder.elsewhere, finder.sure)


def _sure_finds(inspections: Inspections, name: str, finder: Finder) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for photo, inspection in inspections:
        if not inspection.reason and name in inspection.finds:
            rows = inspection.rows(name)
            yield rows[rows[:, 4] >= finder.sure, :4], as_boxes(photo.boxes)
