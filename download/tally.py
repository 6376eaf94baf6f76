"""Counts of outcomes: by reason, with an example of each, and the host that caused most of them."""

from collections import Counter
from typing import Any

_HOSTS_KEPT = 200


class Tally:
    """Counts rows of downloads.csv. Its memory does not grow with them."""

    def __init__(self) -> None:
        self.total = 0
        """The number of images that labels.csv names."""
        self.outcomes: Counter[str] = Counter()
        """The number of rows by reason, or `ok`."""
        self.statuses: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self._hosts: dict[str, Counter[str]] = {}

    def note(self, row: dict[str, Any], host: str) -> None:
        """Count a row of downloads.csv."""
        outcome = row["reason"] or row["status"]
        self.outcomes[outcome] += 1
        self.statuses[row["status"]] += 1
        self.examples.setdefault(outcome, row["image_id"])
        if row["reason"] and host:
            hosts = self._hosts.setdefault(outcome, Counter())
            hosts[host] += 1
            if len(hosts) > _HOSTS_KEPT:  # Misra and Gries, 1982: frequent items stay
                self._hosts[outcome] = Counter({name: count - 1 for name, count in hosts.items() if count > 1})

    def move(self, image_id: str, reason: str) -> None:
        """Count a photo, which was counted as ok, as refused after all."""
        self.outcomes["ok"] -= 1
        self.statuses["ok"] -= 1
        self.outcomes[reason] += 1
        self.statuses["refused"] += 1
        self.examples.setdefault(reason, image_id)

    def foremost(self, outcome: str) -> str:
        """The host of at least half of the outcome's rows; empty if there is none."""
        for host, count in self._hosts.get(outcome, Counter()).most_common(1):
            if count * 2 >= self.outcomes[outcome]:
                return host
        return ""
