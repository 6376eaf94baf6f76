"""How the server of `visavis serve` behaves under load: `python -m benchmarks.live_load PHOTO`.

Twenty clients at once send photos of 12 megapixels, small ones and broken files, and twenty others open sockets and
leave their requests unfinished. All must be answered, with 200 or a status of 4xx, and memory must not grow.
Figures go to benchmarks/results/live_load.json.
"""

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tyro

from benchmarks.live import served
from visavis import images
from visavis.commands.commandline import Duration, main
from visavis.messages import say

SMALL, LARGE = (480, 640), (3000, 4000)


@dataclass
class Options:
    """Put the server under load, and report the answers and the memory."""

    photo: tyro.conf.Positional[Path]
    """A photo with a face."""
    seconds: Duration = 60.0
    """How long the load lasts."""
    clients: int = 20
    """Clients that send photos at the same time; as many others leave their requests unfinished."""
    out: Path = Path("benchmarks/results/live_load.json")
    """File for the figures, as JSON."""


def load(options: Options) -> int:
    """Returns exit status 3 if a request was answered with anything but 2xx and 4xx, or not at all."""
    import requests

    picture = images.read(options.photo)
    small, large = (images.encode(images.resize(picture, size)) for size in (SMALL, LARGE))
    bodies = {"small": small, "12 megapixels": large, "cut off": large[:500_000], "words": b"no photo", "none": b""}
    statuses: Counter[str] = Counter()
    longest = [0.0]
    with served("--max-bytes", "20000000") as (url, process):
        until = time.monotonic() + options.seconds

        def client(number: int) -> None:
            for name, body in cycle([*bodies.items()][number % 5 :] + [*bodies.items()][: number % 5]):
                if time.monotonic() > until:
                    return
                began = time.monotonic()
                try:
                    answer = requests.post(f"{url}v1/detect", body, timeout=120)
                    status = str(answer.status_code)
                    time.sleep(float(answer.headers.get("retry-after", 0)))
                except requests.RequestException as error:
                    status = type(error).__name__
                statuses[f"{name}: {status}"] += 1
                longest[0] = max(longest[0], time.monotonic() - began)  # including the wait that the server asked for

        def silent() -> None:
            place: Any = urlsplit(url)
            while time.monotonic() < until:
                with socket.create_connection((place.hostname, place.port), 60) as one:
                    one.sendall(b"POST /v1/detect HTTP/1.1\r\nHost:")
                    one.recv(100)

        requests.post(f"{url}v1/detect", large, timeout=120)
        threads = [threading.Thread(target=client, args=(number,)) for number in range(options.clients)]
        threads += [threading.Thread(target=silent) for _ in range(20)]
        for thread in threads:
            thread.start()
        memory = []
        while time.monotonic() < until:
            memory.append(_megabytes(process))
            time.sleep(1)
        for thread in threads:
            thread.join()
        well = requests.get(f"{url}healthz", timeout=60).status_code == 200
    figures = {
        "seconds": options.seconds,
        "answers": dict(sorted(statuses.items())),
        "longest_seconds": round(longest[0], 2),
        "megabytes_in_each_sixth": [max(part) for part in _sixths(memory)],
        "well_afterwards": well,
    }
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    say(json.dumps(figures))
    wrong = [name for name in statuses if not name.split(": ")[1].startswith(("2", "4"))]
    return 3 if wrong or not well else 0


def _megabytes(process: "subprocess.Popen[str]") -> int:
    """Resident memory of the server and its workers; pages that they share count in each."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    family = {process.pid}
    for _ in range(3):
        family |= {pid for pid, parent, _ in rows if parent in family}
    return sum(size for pid, _, size in rows if pid in family) // 1024


def _sixths(values: list[int]) -> list[list[int]]:
    size = max(1, len(values) // 6)
    return [values[start : start + size] for start in range(0, len(values), size)][:6]


if __name__ == "__main__":
    main(load, Options)
