"""From what was seen of all photos to a verdict on each: the rows of clean.csv and faces.csv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clean import duplicates, faceless, others
from clean.duplicates import Candidate, Duplicates
from clean.faceless import Found
from clean.finders import Finder
from clean.likeness import Likeness
from clean.look import Photo, Seen
from clean.shelf import Shelf
from visavis.boxes import as_boxes
from visavis.evaluation import conventions
from visavis.evaluation.conventions import Shift

Looks = Sequence[tuple[Photo, Seen]]

CHANGED = (
    "not the bytes that were downloaded: its sha256 is another than in downloads.csv; "
    "if you changed it yourself, empty that field"
)
"""Nothing else shows damage that still decodes, such as a changed table in a JPEG's header."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """keep or not, the keyword why not, in detail, and the photo's rows of faces.csv (none unless kept).

    group: of photos that look alike, named after one of them; none for what looks like no other.
    kept_for: the photo that is kept for this duplicate.
    """

    image_id: str
    keep: bool
    reason: str = ""
    detail: str = ""
    faces: list[dict[str, str]] = field(default_factory=list)
    group: str = ""
    kept_for: str = ""


def shifts(looks: Looks, asked: dict[str, Finder]) -> dict[str, Shift]:
    """For each finder, by name, how its boxes differ from the labels of these photos."""
    return {name: conventions.estimate(_sure_finds(looks, name, finder)) for name, finder in asked.items()}


def judge(looks: Looks, asked: dict[str, Finder], moves: dict[str, Shift], once: bool) -> Shelf[Verdict]:
    """One verdict a photo, in their order, which is that of their image_ids. asked: the finders, by name; none leaves
    faces unjudged.

    moves: what `shifts` gave. once: whether photos that are the same are kept only once; groups are found anyway.
    """
    alone: Shelf[Verdict] = Shelf()
    candidates: Shelf[Candidate] = Shelf()
    for photo, seen in looks:
        verdict, overlap = _judge_one(photo, seen, asked, moves)
        alone.append(verdict)
        if verdict.keep:
            quality = (overlap, float(photo.curated), photo.score)
            looks_like = Likeness.parse(seen.likeness) if seen.likeness else None
            candidates.append(Candidate(photo.image_id, photo.identity, seen.sha256, quality, looks_like))
    found = duplicates.judge(candidates)
    return Shelf(_among_all(verdict, found, once) for verdict in alone)


def _among_all(alone: Verdict, found: Duplicates, once: bool) -> Verdict:
    """The verdict on a photo, once it is known which come several times."""
    image_id = alone.image_id
    grouped = replace(alone, group=found.groups[image_id]) if image_id in found.groups else alone
    if not once or image_id not in found.verdicts:
        return grouped
    keep, detail = found.verdicts[image_id]
    if keep:
        return replace(grouped, detail="; ".join(said for said in (detail, alone.detail) if said))
    kept_for = found.kept_for[image_id]
    return replace(grouped, keep=False, reason="duplicate", detail=detail, faces=[], kept_for=kept_for)


def _judge_one(photo: Photo, seen: Seen, asked: dict[str, Finder], moves: dict[str, Shift]) -> tuple[Verdict, float]:
    """The verdict on one photo by itself, and its label's best overlap with a find (IoU)."""
    if seen.reason:
        return Verdict(photo.image_id, False, seen.reason, seen.detail), 0.0
    if photo.sha256 and photo.sha256 != seen.sha256 and not seen.removed:
        return Verdict(photo.image_id, False, "changed", CHANGED), 0.0
    if seen.removed:
        return Verdict(photo.image_id, False, seen.removed, seen.detail), 0.0
    note = f"the first of {seen.frames} frames" if seen.frames > 1 else ""
    labels = as_boxes(photo.boxes)
    found = [_found(seen, name, finder, moves[name]) for name, finder in asked.items()]
    if not photo.boxes:
        sure = [one.finder for one in found if others.unknown(one.boxes[one.scores >= one.sure], photo.given).any()]
        if sure:
            return Verdict(photo.image_id, False, "unlabelled", f"no label, and {', '.join(sure)} sees a face"), 0.0
        return Verdict(photo.image_id, True, detail=note), 0.0
    overlap = 0.0
    if found:
        reason, detail, overlap = faceless.judge(labels, (seen.height, seen.width), found)
        if reason:
            return Verdict(photo.image_id, False, reason, detail), overlap
    return Verdict(photo.image_id, True, detail=note, faces=others.rows(photo, labels, found)), overlap


def _found(seen: Seen, name: str, finder: Finder, shift: Shift) -> Found:
    rows = seen.rows(name)
    return Found(name, shift.move(rows[:, :4]), rows[:, 4], finder.at_label, finder.elsewhere, finder.sure)


def _sure_finds(looks: Looks, name: str, finder: Finder) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for photo, seen in looks:
        if not seen.reason and name in seen.finds:
            rows = seen.rows(name)
            yield rows[rows[:, 4] >= finder.sure, :4], as_boxes(photo.boxes)
