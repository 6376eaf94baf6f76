"""How many of the machine's cores this program may use."""

import os


def cores() -> int:
    """Those that the system lets this process run on; all there are where it cannot say (macOS)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
