"""The options that made a run refuse photos, so that a later run with laxer options tries these again.

The options of the latest run are kept in `downloads.json`, beside the table.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from visavis.errors import InputError

NAME = "downloads.json"


@dataclass(frozen=True)
class Limits:
    """The options of `download images` that refuse photos. Without a file, defaults are assumed.

    placeholder: a picture under this many identities is refused; 0 refuses none.
    """

    allow_private: bool = False
    ignore_robots: bool = False
    insecure: bool = False
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    placeholder: int = 10

    def lifted(self, before: "Limits") -> frozenset[str]:
        """The reasons whose rows are worth another attempt, because they were refused under the stricter `before`."""
        looser = {
            "private_address": self.allow_private and not before.allow_private,
            "robots": self.ignore_robots and not before.ignore_robots,
            "tls": self.insecure and not before.insecure,
            "too_large": self.max_bytes > before.max_bytes or self.max_pixels > before.max_pixels,
            "placeholder": _least(before) < _least(self),
        }
        return frozenset(reason for reason, lifted in looser.items() if lifted)


def _least(limits: Limits) -> float:
    """The number of identities from which on a picture is a placeholder."""
    return limits.placeholder or float("inf")


def strictest(several: Iterable[Limits]) -> Limits:
    """The strictest of each limit of several folders: no photo in them was refused under a stricter one."""
    together = list(several)
    least = min(map(_least, together))
    return Limits(
        allow_private=all(limits.allow_private for limits in together),
        ignore_robots=all(limits.ignore_robots for limits in together),
        insecure=all(limits.insecure for limits in together),
        max_bytes=min(limits.max_bytes for limits in together),
        max_pixels=min(limits.max_pixels for limits in together),
        placeholder=0 if least == float("inf") else int(least),
    )


def read(data: Path) -> Limits:
    """The limits of the latest run in a data folder. Raises InputError for a file with other content."""
    path = data / NAME
    try:
        known: Any = json.loads(path.read_text(encoding="utf-8"))
        if {name: type(value) for name, value in known.items()} != {
            one.name: type(one.default) for one in fields(Limits)
        }:
            raise ValueError("it has other options, or other types of values")
        return Limits(**known)
    except FileNotFoundError:
        return Limits()
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} does not hold the options of a run ({error}); delete it") from None


def write(limits: Limits, data: Path, scratch: Path) -> None:
    """Store the limits for later runs."""
    (scratch / NAME).write_text(json.dumps(asdict(limits), indent=2) + "\n", encoding="utf-8")
    (scratch / NAME).replace(data / NAME)
