"""How many CPU cores this program may use."""


def cores() -> int:
    """The machine's cores, less those that an affinity mask (taskset, SLURM) or a cgroup's CPU quota (containers) keeps
    from this process; at least 1. The variable LOKY_MAX_CPU_COUNT lowers it further."""
    from loky import cpu_count  # os.process_cpu_count (Python 3.13) knows no quota

    return int(cpu_count())
