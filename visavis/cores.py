"""How many CPU cores this program may use."""

import os


def cores() -> int:
    """The machine's cores, less those that an affinity mask (taskset, SLURM) or a cgroup's CPU quota (containers) keeps
    from this process; at least 1. The variable LOKY_MAX_CPU_COUNT lowers it further."""
    from loky import cpu_count  # os.process_cpu_count (Python 3.13) knows no quota

    return int(cpu_count())


def threads() -> int:
    """How many threads a network may use, as torch decides it: OMP_NUM_THREADS limits them if several programs share
    the cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # the first level of a list
    return int(asked) if asked.isdecimal() and int(asked) > 0 else cores()
