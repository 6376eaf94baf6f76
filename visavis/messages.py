"""What is said to the person at the terminal besides results."""

import sys


def say(message: str) -> None:
    """Print a message on stderr, so that stdout stays for results and pipes."""
    print(message, file=sys.stderr, flush=True)
