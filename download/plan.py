"""What is still to be fetched: labels.csv beside downloads.csv, and the count of what became of it all."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset import tables
from download.http import REASONS
from download.schedule import Job
from visavis.command import InputError, say


@dataclass
class Plan:
    """What labels.csv asks for and what downloads.csv has."""

    jobs: list[Job] = field(default_factory=list)
    answered: list[tuple[dict[str, str], list[str]]] = field(default_factory=list)
    """(row, image_ids): images whose address was fetched for another image before."""
    total: int = 0
    """Images in labels.csv."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How many images have a row, by reason, or `ok`."""
    statuses: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def note(self, row: dict[str, Any]) -> None:
        """Count a row of downloads.csv."""
        outcome = row["reason"] or row["status"]
        self.outcomes[outcome] += 1
        self.statuses[row["status"]] += 1
        self.examples.setdefault(outcome, row["image_id"])

    def report(self) -> None:
        """Print the outcomes by reason; they add up to the images in labels.csv unless the run was stopped."""
        for outcome, count in self.outcomes.most_common():
            status, meaning = REASONS.get(outcome, ("ok", "the photo is in images/"))
            say(f"{count:>9,}  {outcome:<18} {status:<8} {meaning}; e.g. {self.examples[outcome]}")
        say(f"{self.outcomes.total():>9,}  in all, of {self.total:,} images in labels.csv")


def reasons_named(retry: str | None) -> set[str]:
    """The reasons that --retry names. Raises InputError."""
    chosen: set[str] = set()
    for word in (retry or "").split(",") if retry is not None else ():
        same_status = {reason for reason, (status, _) in REASONS.items() if word.strip() in (status, reason)}
        if not same_status:
            raise InputError(f"--retry {word.strip()!r}: give failed, refused, or reasons of {', '.join(REASONS)}")
        chosen |= same_status
    return chosen


def wanted(labels: Path) -> dict[str, list[str]]:
    """Address -> image_ids, each once, in the order of labels.csv. Raises InputError."""
    addresses: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for number, row in enumerate(tables.rows(labels), start=2):
        image_id, url = row["image_id"], row["url"].partition("#")[0]
        if image_id in addresses:  # another face of the same photo
            continue
        if not _is_safe(image_id):
            raise InputError(f"{labels} row {number}: image_id {image_id!r} cannot be a file's name; mend or drop it")
        addresses[image_id] = url
        groups.setdefault(url, []).append(image_id)
    if not groups:
        raise InputError(f"{labels} has no rows: nothing to fetch")
    return groups


def forget(downloads: Path, reasons: set[str]) -> None:
    """Drop the rows with these reasons: an image without a row is one to be fetched."""
    if downloads.exists():
        tables.write(downloads, (row for row in tables.rows(downloads) if row["reason"] not in reasons))


def compare(wanted: dict[str, list[str]], data: Path) -> Plan:
    """Compare what is wanted with downloads.csv."""
    plan = Plan(total=sum(map(len, wanted.values())))
    shared = {image_id: url for url, ids in wanted.items() if len(ids) > 1 for image_id in ids}
    everything = {image_id for ids in wanted.values() for image_id in ids}
    done: set[str] = set()
    answers: dict[str, dict[str, str]] = {}
    downloads = data / "downloads.csv"
    for row in tables.rows(downloads) if downloads.exists() else ():
        image_id = row["image_id"]
        if image_id not in everything or image_id in done:
            continue
        done.add(image_id)
        plan.note(row)
        if image_id in shared:
            answers.setdefault(shared[image_id], row)
    for url, ids in wanted.items():
        if not (left := [image_id for image_id in ids if image_id not in done]):
            continue
        answer = answers.get(url)
        if answer and (not answer["path"] or (data / answer["path"]).is_file()):
            plan.answered.append((answer, left))
        else:
            plan.jobs.append(Job(url, left))
    return plan


def _is_safe(image_id: str) -> bool:
    parts = image_id.split("/")
    return not re.search(r"[\\\x00-\x1f:]", image_id) and all(part and not part.startswith(".") for part in parts)
