"""Why a data folder has no photo, by its downloads.csv, and which command helps."""

from collections import Counter
from pathlib import Path

from visavis.data import tables
from visavis.messages import counted

HELPS: dict[str, str] = {
    "private_address": "--allow-private",
    "robots": "--ignore-robots",
    "tls": "--insecure",
    "too_large": "--max-pixels N --max-bytes N",
    "placeholder": "--placeholder 0",
}
"""Reason -> the options of `python -m download images` under which such images are fetched again."""


def none_is_ok(path: Path) -> str:
    """The message for a downloads.csv at `path` that calls no image ok: the commonest reason, and what to do."""
    rows = [(row["status"], row["reason"]) for row in tables.rows(path)]
    if not rows:
        return f"{path} has no rows; run `python -m download images --data {path.parent}` first"
    (status, reason), count = Counter(rows).most_common(1)[0]
    command = f"python -m download images --data {path.parent}"
    if reason == "missing":  # only an import says so
        advice = f"give `python -m dataset import` their folder as --images, and another --out than {path.parent}"
    elif reason in HELPS:
        advice = f"`{command} {HELPS[reason]}` fetches them"
    elif status == "failed":
        advice = f"`{command} --retry failed` tries them again"
    else:
        advice = "docs/reasons.md explains it; give `python -m download lists` more identities, or another list"
    return f"of {counted(len(rows), 'image')}, {path} calls none ok; {counted(count, 'is', 'are')} `{reason}`: {advice}"
