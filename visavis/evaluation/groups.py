"""The figures of each group of photos: a figure over all photos hides the kind on which a detector fails.

A photo's group is the part of its image_id before the first slash.
"""

from dataclasses import fields, replace
from typing import Any

from visavis.errors import InputError
from visavis.evaluation.contest import Contestant, LabelledPhotos, figures, times
from visavis.evaluation.scoreboard import Rows, cell

MOST = 100
"""At most this many groups are reported: nobody reads the tables of more, such as of people by name."""

COLUMNS: Rows = (
    ("photos", "photos", "d"),
    ("faces", "faces", "d"),
    ("AP50", "ap50", ".3f"),
    ("95 % interval", "ap50_interval", ".3f"),
    ("best F1", "best_f1", ".3f"),
    ("95 % interval", "best_f1_interval", ".3f"),
    ("at the score", "best_threshold", ".3f"),
    ("precision", "precision", ".3f"),
    ("recall", "recall", ".3f"),
    ("95 % interval", "recall_interval", ".3f"),
    ("F1", "f1", ".3f"),
    ("false / photo", "false_per_photo", ".3f"),
    ("ms / photo", "ms_median", ".1f"),
)
"""Precision, recall, F1 and false positives are those at the detector's threshold; the time is the median."""


def group_of(image_id: str) -> str:
    """`web` for `web/0001`; for a name without a slash, the name."""
    return image_id.split("/", 1)[0]


def check(image_ids: list[str]) -> None:
    """Raise InputError if the photos have more than `MOST` groups."""
    groups = sorted({group_of(image_id) for image_id in image_ids})
    if len(groups) > MOST:
        raise InputError(
            f"`groups`: these photos have {len(groups)} groups ({', '.join(groups[:3])}, ...), and at most {MOST} are "
            "possible. The group is the part of a photo's image_id before the first slash"
        )


def by_group(contestants: list[Contestant], labelled: LabelledPhotos) -> list[dict[str, Any]]:
    """The figures of every detector on every group of photos, sorted by group, with `group` and `name`."""
    numbers: dict[str, list[int]] = {}
    for number, image_id in enumerate(labelled.ids):
        numbers.setdefault(group_of(image_id), []).append(number)
    rows = []
    for group, some in sorted(numbers.items()):
        part = _part(labelled, some)
        for contestant in contestants:
            its = replace(
                contestant,
                found=[contestant.found[number] for number in some],
                aligned=[contestant.aligned[number] for number in some],
                milliseconds=[contestant.milliseconds[number] for number in some],
            )
            rows.append({"group": group} | figures(its, part) | times(its))
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each detector on each group. rows: from `by_group`."""
    lines = [["group", "detector", *(title for title, _, _ in COLUMNS)]]
    lines += [[row["group"], row["name"], *(cell(row[key], form) for _, key, form in COLUMNS)] for row in rows]
    first, second, *widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        f"{group:<{first}}  {name:<{second}}"
        + "".join(f"  {value:>{width}}" for value, width in zip(values, widths, strict=True))
        for group, name, *values in lines
    )


def _part(labelled: LabelledPhotos, numbers: list[int]) -> LabelledPhotos:
    lists = {
        field.name: [getattr(labelled, field.name)[number] for number in numbers]
        for field in fields(LabelledPhotos)
        if field.name != "unreadable"
    }
    return LabelledPhotos(**lists)
