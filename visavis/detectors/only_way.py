"""Options of `visavis.load_detector` that a detector does not have."""

from typing import Any

from visavis.errors import InputError


def none_of(options: dict[str, Any], name: str) -> dict[str, Any]:
    """No options, for a detector that runs in one way only. Raises InputError if one was given."""
    for option, value in options.items():
        if option != "at_once" and value not in (None, "auto", "fp32"):
            raise InputError(f"`{option}` {value}: {name} runs in one way only; leave `{option}` out")
    return {}
