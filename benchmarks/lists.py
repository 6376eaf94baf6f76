"""The list parser and the downloader at the size of the whole VGG Face list: seconds, and memory at its highest.

python -m benchmarks.lists --source vgg_face_lists_202.tar.gz --out benchmarks/results/lists.json

Makes a list of 2,622 identities and 2,604,849 lines from the lines of a real part of it, in a folder of its own;
parses it; then has `images` work through all of labels.csv, twice. Its addresses are moved to the private range
10.0.0.0/8, one network address for each host of the list, which are refused without a connection: what is measured
is the work that grows with the rows. The second time four rows in five are there from the first.
"""

import csv
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset import tables
from visavis import command
from visavis.command import say

IDENTITIES, LINES = 2_622, 2_604_849  # of the official list


@dataclass
class Options:
    """Measure the list parser, and memory, at 2.6 million rows."""

    source: Path
    """An archive of real lists."""
    out: Path | None = None
    """Where to keep the figures, as JSON."""
    lines: int = LINES
    """How many lines to make."""


def run(options: Options) -> int:
    """Make the list, measure, print and keep the figures."""
    real = [line for _, lines in _real(options.source) for line in lines]
    figures: dict[str, Any] = {"lines": options.lines, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        _make(real, options.lines, Path(folder) / "lists.tar.gz")
        figures["lists"] = measured("lists", Path(folder) / "lists.tar.gz", "--data", data)
        _move_inside(data / "labels.csv")
        figures["images_first_run"] = measured("images", "--data", data, "--connections", 8)
        rows = sum(1 for _ in tables.rows(data / "downloads.csv"))
        assert rows == figures["lists"]["labels"], f"{rows} rows for {figures['lists']['labels']} labels"
        _halve(data / "downloads.csv", rows * 4 // 5)
        figures["images_second_run"] = measured("images", "--data", data, "--connections", 8)
    figures["load_after"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measured(*words: object) -> dict[str, Any]:
    """Seconds, CPU seconds and the most memory (MB, 10**6 bytes) of `python -m download WORDS`."""
    say(f"python -m download {words[0]} ...")
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "download", *map(str, words)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said[-2000:]
    result: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1)}
    result |= {"cpu_seconds": round(used.ru_utime + used.ru_stime, 1), "peak_MB": round(used.ru_maxrss * 1024 / 1e6)}
    if found := re.search(r"([\d,]+) labels in", said):
        result["labels"] = int(found[1].replace(",", ""))
    return result


def _real(source: Path) -> Iterator[tuple[str, list[bytes]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isreg() and member.name.endswith(".txt") and (file := archive.extractfile(member)):
                yield member.name, file.read().splitlines()


def _make(real: list[bytes], lines: int, path: Path) -> None:
    """An archive in the layout of the official one: the real lines again and again, hosts and ids made different."""
    each = -(-lines // IDENTITIES)
    made = 0
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        while made < lines:
            count = min(each, lines - made)
            text = bytearray()
            for number in range(made, made + count):
                turn, index = divmod(number, len(real))
                _, url, rest = real[index].split(b" ", 2)
                scheme, host, *path_of = url.split(b"/", 3)[0::2] + url.split(b"/", 3)[3:]
                url = b"%s//t%d.%s/%s" % (scheme, turn // 2, host, b"".join(path_of))  # hosts: some 150,000
                text += b"%08d %s %s\n" % (number - made + 1, url, rest)
            member = tarfile.TarInfo(f"vgg_face_dataset/files/Name_{made // each:04}.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
            made += count


def _move_inside(labels: Path) -> None:
    """Give each host of labels.csv an address of 10.0.0.0/8 of its own; the path stays."""

    def moved() -> Iterator[tables.Row]:
        for row in tables.rows(labels):
            scheme, host, path = re.fullmatch(r"(https?)://([^/]*)(.*)", row["url"], re.IGNORECASE).groups()  # type: ignore[union-attr]
            a, b, c = hashlib.sha256(host.encode()).digest()[:3]
            yield row | {"url": f"http://10.{a}.{b}.{c}{path}"}

    tables.write(labels, moved())


def _halve(downloads: Path, keep: int) -> None:
    with downloads.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        tables.write(
            downloads, (dict(zip(header, row, strict=True)) for row, _ in zip(rows, range(keep), strict=False))
        )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    command.main(run, Options)
