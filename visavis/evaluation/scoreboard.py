"""Figures as a table, with a line per figure and a column per detector; and the comparison of two as a sentence."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

DETECTION = (
    ("AP (IoU 0.50 to 0.95)", "ap", ".3f"),
    ("AP50", "ap50", ".3f"),
    ("  95 % interval", "ap50_interval", ".3f"),
    ("  boxes aligned", "ap50_aligned", ".3f"),
    ("AP75", "ap75", ".3f"),
    ("AP of faces under 32 x 32 pixels", "ap_small", ".3f"),
    ("  to 96 x 96", "ap_medium", ".3f"),
    ("  above", "ap_large", ".3f"),
    ("best F1 (IoU 0.5)", "best_f1", ".3f"),
    ("  95 % interval", "best_f1_interval", ".3f"),
    ("  boxes aligned", "best_f1_aligned", ".3f"),
    ("  at the score", "best_threshold", ".3f"),
    ("recall at 0.1 false positives per photo", "recall_at_tenth", ".3f"),
    ("recall at 1 false positive per photo", "recall_at_one", ".3f"),
    ("its threshold", "threshold", ".3f"),
    ("  precision there", "precision", ".3f"),
    ("    95 % interval", "precision_interval", ".3f"),
    ("  recall there", "recall", ".3f"),
    ("    95 % interval", "recall_interval", ".3f"),
    ("  F1 there", "f1", ".3f"),
    ("calibration error of its scores (ECE)", "ece", ".3f"),
    ("  of scores from its threshold on", "ece_counted", ".3f"),
    ("  without its calibration", "ece_raw", ".3f"),
    ("  with one fitted here", "ece_fitted", ".3f"),
    ("calibration: temperature", "temperature", ".3f"),
    ("  fitted here", "temperature_fitted", ".3f"),
    ("calibration: shift", "shift", "+.3f"),
    ("  fitted here", "shift_fitted", "+.3f"),
    ("photos", "photos", "d"),
    ("faces", "faces", "d"),
)
"""The figures on labelled photos: title, key, format."""

COST = (
    ("ms per photo, median", "ms_median", ".1f"),
    ("ms per photo, 95th percentile", "ms_p95", ".1f"),
    ("peak memory, MB, alone", "memory_mb", ".0f"),
    ("  before the first photo", "memory_loaded_mb", ".0f"),
    ("  peak on the GPU", "cuda_mb", ".0f"),
)
"""The figures of time and memory."""

Rows = tuple[tuple[str, str, str], ...]


def short(sources: Sequence[str]) -> list[str]:
    """Names and paths of weights without their folders and endings, as far as these are needed to tell them apart."""
    stems = [Path(source).with_suffix("") for source in sources]
    for names in (
        [stem.name for stem in stems],
        ["/".join(stem.parts[-2:]) for stem in stems],
        [str(stem) for stem in stems],
    ):
        if len(set(names)) == len(names):
            return names
    return list(sources)


def with_false(counts: tuple[int, ...]) -> Rows:
    """The rows for the recall with these numbers of false positives in all photos."""
    return tuple(
        (f"recall with {count} false in all, aligned", f"recall_with_{count}_false", ".3f") for count in counts
    )


def table(rows: Rows, results: list[dict[str, Any]]) -> str:
    """rows: title, key and format of each figure. results: of each detector, with its name. None becomes a dash."""
    first = max(len(title) for title, _, _ in rows)
    widths = [max(14, len(result["name"])) for result in results]
    lines = [" " * first + "".join(f"  {r['name']:>{width}}" for r, width in zip(results, widths, strict=True))]
    for title, key, form in rows:
        cells = [cell(result[key], form) for result in results]
        lines.append(f"{title:<{first}}" + "".join(f"  {c:>{width}}" for c, width in zip(cells, widths, strict=True)))
    return "\n".join(lines)


def cell(value: float | tuple[float, float] | None, form: str) -> str:
    """A figure or an interval as text; None is a dash."""
    if value is None:
        return "-"
    if not isinstance(value, tuple):
        return format(value, form)
    low, high = (format(part, form) for part in value)
    if low == high and value[0] < value[1]:  # 0.99962 to 1 must not be shown as one figure
        low, high = (f"{part:.6f}" for part in value)
    return f"{low} to {high}"


def sentence(row: dict[str, Any]) -> str:
    """Which of two detectors is better, if that is known. row: of `contest.differences`."""
    low, high = row["interval"]
    better = row["first"] if row["ap50_aligned"] > 0 else row["second"]
    outcome = f"{better} is better" if row["known"] else "which is better is not known"
    return (
        f"{row['first']} against {row['second']}: AP50, boxes aligned, {row['ap50_aligned']:+.3f} "
        f"({low:+.3f} to {high:+.3f}): {outcome}"
    )
