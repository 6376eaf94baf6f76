"""How much memory a detector takes, measured in a process that holds nothing else.

In a process that has run other detectors, memory cannot be attributed, and the allocator keeps what is freed. So a new
process loads the detector, runs it on the photos, and reports its peak memory. That includes Python, torch and the
decoded photos: it is what a program with this one detector needs.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from visavis.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Peak:
    """In megabytes of 1,000,000 bytes."""

    resident: float
    """Peak main memory of the process."""
    loaded: float
    """Main memory with the detector loaded, before the first photo."""
    cuda: float | None
    """Peak GPU memory that torch allocated (without its context); None without a GPU."""


def measure(
    detector: str,
    device: str,
    threshold: float,
    photos: list[Path],
    batch_size: int = 1,
    how: dict[str, Any] | None = None,
) -> Peak:
    """Load `detector` (a name or a path) in a separate process, and run it on the photos in batches.

    how: more options of `visavis.load_detector`.
    Raises InputError, with the last line that the process wrote, if it fails.
    """
    source = str(Path(detector).resolve()) if Path(detector).exists() else detector
    task: dict[str, Any] = {"detector": source, "device": device, "threshold": threshold, "batch_size": batch_size}
    task["how"] = how or {}
    task["photos"] = [str(photo.resolve()) for photo in photos]
    # Its stderr is shown only if it fails: the detector's messages have appeared in this process already.
    done = subprocess.run(
        [sys.executable, "-m", "visavis.evaluation.memory"],
        input=json.dumps(task),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InputError(f"the memory of {detector} cannot be measured: {last}")
    return Peak(**json.loads(done.stdout))


def resident() -> tuple[float, float]:
    """Main memory of this process in megabytes: at its peak, and now."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage also counts what the parent had at the fork
        kilobytes = dict(line.split(":", 1) for line in status.read_text().splitlines())
        most, now = (int(kilobytes[name].split()[0]) * 1024 / 1e6 for name in ("VmHWM", "VmRSS"))
        return most, now
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return most, most  # the present figure is not available; at the start of a process it is near the peak


def _child() -> None:
    from visavis.detectors import load_detector
    from visavis.images import ALREADY_READ, read

    task = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # whatever a package prints
    detector = load_detector(task["detector"], task["device"], **task["how"])
    detector.threshold = task["threshold"]
    loaded = resident()[1]
    photos, size = task["photos"], task["batch_size"]
    for start in range(0, len(photos), size):
        detector.detect([read(Path(photo), ALREADY_READ) for photo in photos[start : start + size]])
    cuda = None
    if task["device"].startswith("cuda"):
        import torch

        cuda = torch.cuda.max_memory_allocated(task["device"]) / 1e6
    json.dump(asdict(Peak(resident()[0], loaded, cuda)), out)


if __name__ == "__main__":
    _child()
