"""`download images`, img2dataset and a plain loop that checks nothing: their speed, and what each does with hostile
addresses.

python -m benchmarks.download --photos FOLDER --img2dataset ENV/bin/python --out benchmarks/results/download.json

nginx serves the photos on eight loopback addresses, which are eight hosts, so that four connections for each make 32;
all three downloaders get 32, and run in turn. Images a second are counted by the server's log, from the first request
for a photo to the last; start and end of the programs are in `seconds`. Memory is that of the largest process.
img2dataset needs an environment of its own: `pip install img2dataset "setuptools<82"`.
"""

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import hostile
from benchmarks.rivals import IMG2DATASET, PLAIN
from dataset import tables
from visavis import images
from visavis.commands import commandline
from visavis.cores import cores
from visavis.errors import InputError
from visavis.messages import say

PORT = 8181
HOSTS = [f"127.0.0.{number}" for number in range(2, 10)]
CONNECTIONS = 32
MEMORY = "/dev/shm"


@dataclass
class Options:
    """Measure three downloaders on the same photos."""

    photos: Path
    """A folder with photos."""
    img2dataset: Path | None = None
    """The Python of an environment with img2dataset; without it, img2dataset is left out, with a message."""
    count: int = 10_000
    """How many photos to fetch; those of the folder are repeated."""
    rounds: int = 3
    """How often each downloader runs."""
    out: Path | None = None
    """File for the figures, as JSON."""


def run(options: Options) -> int:
    """Measure, print the table, keep the figures."""
    if not shutil.which("nginx"):
        raise InputError(
            "nginx is not installed, and a server in Python would be the bottleneck (apt install nginx-light)"
        )
    if options.img2dataset is None:
        say("no --img2dataset: it is left out")
    photos = sorted(path.relative_to(options.photos).as_posix() for path in images.find(options.photos))
    figures: dict[str, Any] = {"photos": options.count, "cores": cores(), "load_before": os.getloadavg()[0]}
    rounds: dict[str, list[dict[str, float]]] = {}
    # In memory if possible: deleting the photos of one downloader keeps a disk busy while the next is measured.
    place = MEMORY if os.path.isdir(MEMORY) else None
    with tempfile.TemporaryDirectory(dir=place) as folder, served(options.photos, Path(folder)) as log:
        os.chmod(folder, 0o755)
        urls = [
            f"http://{HOSTS[number % len(HOSTS)]}:{PORT}/{photos[number % len(photos)]}?{number}"
            for number in range(options.count)
        ]
        for number in range(options.rounds):
            for name, prepare in downloaders(options.img2dataset).items():
                work = Path(folder) / "work"
                work.mkdir()
                words, count = prepare(work, urls)
                log.write_text("")
                result = measured(words)
                time.sleep(1.5)  # the log is written once a second
                times = [float(line.split()[0]) for line in log.read_text().splitlines() if "robots.txt" not in line]
                got = count()
                result |= {"images_per_second": round(got / (max(times) - min(times)), 1), "images": got}
                result["cpu_seconds_per_1000"] = round(result["cpu_seconds"] / got * 1000, 2)
                rounds.setdefault(name, []).append(result)
                say(f"round {number + 1}: {name}: {result}")
                shutil.rmtree(work)
    figures["rounds"] = rounds
    figures["median"] = {
        name: {key: statistics.median(result[key] for result in results) for key in results[0]}
        for name, results in rounds.items()
    }
    figures["hostile_mix"] = hostile.verdicts(options.img2dataset)
    figures["load_after"] = os.getloadavg()[0]
    print(table(figures))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def table(figures: dict[str, Any]) -> str:
    """The medians and the wrong verdicts, as Markdown."""
    lines = [
        "| | images/s | CPU s per 1,000 | peak MB | seconds in all | wrong verdicts | reached inside |",
        "|" + "---|" * 7,
    ]
    for name, result in figures["median"].items():
        mix = figures["hostile_mix"].get(name, {})
        values = [result[key] for key in ("images_per_second", "cpu_seconds_per_1000", "peak_MB", "seconds")]
        values += [f"{len(mix.get('wrong', []))} of {mix.get('cases')}", mix.get("connections_inside")]
        lines.append(f"| {name} | " + " | ".join(map(str, values)) + " |")
    return "\n".join(lines)


Prepare = Callable[[Path, list[str]], tuple[list[str], Callable[[], int]]]
"""(empty folder, addresses) -> a command line, and what counts its photos afterwards."""


def downloaders(img2dataset: Path | None) -> dict[str, Prepare]:
    """Name -> how to run it, in the order of running."""

    def ours(work: Path, urls: list[str]) -> tuple[list[str], Callable[[], int]]:
        write_labels(work, urls)
        words = ["-m", "download", "images", "--data", str(work), "--allow-private", "--connections", str(CONNECTIONS)]
        return [sys.executable, *words], lambda: sum(
            row["status"] == "ok" for row in tables.rows(work / "downloads.csv")
        )

    def plain(work: Path, urls: list[str]) -> tuple[list[str], Callable[[], int]]:
        (work / "urls").write_text("\n".join(urls))
        (work / "out").mkdir()
        return [sys.executable, "-c", PLAIN, str(work), str(CONNECTIONS)], lambda: len(list((work / "out").iterdir()))

    def theirs(work: Path, urls: list[str]) -> tuple[list[str], Callable[[], int]]:
        (work / "urls").write_text("\n".join(urls))
        words = [str(img2dataset), "-c", IMG2DATASET, str(work), str(CONNECTIONS // 2), str(len(urls) // 10 + 1)]
        return words, lambda: len(list((work / "out").rglob("*.jpg")))

    return {"visavis": ours, "plain loop": plain} | ({"img2dataset": theirs} if img2dataset else {})


def write_labels(data: Path, urls: list[str]) -> None:
    """A labels.csv of these addresses, a hundred an identity."""
    with (data / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(tables.COLUMNS["labels.csv"])
        writer.writerows(
            (f"p{number // 100}/{number:08}", f"p{number // 100}", url, 1, 1, 9, 9, 3, 1, 1)
            for number, url in enumerate(urls)
        )


def measured(words: list[str]) -> dict[str, float]:
    """Seconds, CPU seconds of it and its children, and the largest process's memory (MB, 10**6 bytes)."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        assert process.returncode == 0, said.read()[-3000:]
    result = {"seconds": round(time.monotonic() - began, 1)}
    return result | {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_MB": round(used.ru_maxrss * 1024 / 1e6),
    }


@contextmanager
def served(photos: Path, folder: Path) -> Iterator[Path]:
    """nginx over the photos, on all of `HOSTS`; yields its log: a line a request, with the time first."""
    log = folder / "log"
    listen = "".join(f"listen {host}:{PORT};" for host in HOSTS)
    places = "".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder / 'pid'}; error_log {folder / 'errors'};"
        "events { worker_connections 1024; }"
        f"http {{ {places} log_format short '$msec $request_uri'; access_log {log} short buffer=64k flush=1s;"
        "keepalive_requests 1000000; sendfile on; types { image/jpeg jpg; image/png png; }"
        f"server {{ {listen} location / {{ root {photos.resolve()}; }} }} }}"
    )
    log.touch()
    process = subprocess.Popen(["nginx", "-c", folder / "nginx.conf", "-e", folder / "errors"])
    try:
        time.sleep(1.0)
        assert process.poll() is None, (folder / "errors").read_text()
        yield log
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    commandline.main(run, Options)
