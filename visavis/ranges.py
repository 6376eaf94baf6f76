"""Whether a number that a program gave to the library can be used; commands check theirs in visavis.options."""

import math
from numbers import Real
from typing import Any

from visavis.errors import InputError


def check_number(name: str, value: Any, least: float, most: float = math.inf) -> None:
    """Raise InputError unless `value` is a finite number from `least` to `most`. A truth value and a text are none."""
    known = isinstance(value, Real) and not isinstance(value, bool)
    if known and least <= float(value) <= most and math.isfinite(float(value)):
        return
    limits = f"lie between {least:g} and {most:g}" if most < math.inf else f"be {least:g} or more"
    raise InputError(f"`{name}` must {limits}, and is {value!r}")
