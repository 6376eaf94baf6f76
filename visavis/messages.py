"""What is said to the person at the terminal besides results."""

import re
import sys

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""All but the line break, and what turns the direction of writing. Names of files may have them, and a terminal may do
what they say."""


def say(message: str) -> None:
    """Print a message on stderr, so that stdout stays for results and pipes."""
    print(harmless(message), file=sys.stderr, flush=True)


def harmless(text: str) -> str:
    """The text with its control characters written out, as \\x1b."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 photo`, `2,000 photos`. things: what several are called, where an s is not enough: `1 photo has`,
    `2 photos have`."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
