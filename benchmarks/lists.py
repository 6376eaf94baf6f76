"""The list parser and the downloader at the size of the whole VGG Face list: seconds and peak memory.

python -m benchmarks.lists --source vgg_face_lists_202.tar.gz --out benchmarks/results/lists.json

Makes a list of 2,622 identities and 2,604,849 lines from the lines of a real part of it, in a folder of its own, and
parses it. Then `images` works on all of labels.csv: once from the start, interrupted when there is a megabyte of rows;
once with a downloads.csv that has all rows but one in twenty, to the end. The addresses are moved to the private range
10.0.0.0/8, one network address for each host of the list, where they are refused without a connection: what is
measured grows with the rows, and does not depend on the network.
"""

import hashlib
import io
import json
import os
import re
import signal
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
from visavis.commands import commandline
from visavis.cores import cores
from visavis.messages import say

IDENTITIES, LINES = 2_622, 2_604_849  # of the official list


@dataclass
class Options:
    """Measure the list parser, and memory, at 2.6 million rows."""

    source: Path
    """An archive of real lists."""
    out: Path | None = None
    """File for the figures, as JSON."""
    lines: int = LINES
    """How many lines to make."""


def run(options: Options) -> int:
    """Make the list, measure, print and keep the figures."""
    real = [line for _, lines in _real(options.source) for line in lines]
    figures: dict[str, Any] = {"lines": options.lines, "cores": cores(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        _make(real, options.lines, Path(folder) / "lists.tar.gz")
        figures["lists"] = measured("lists", Path(folder) / "lists.tar.gz", "--data", data)
        _move_inside(data / "labels.csv")
        figures["images_from_nothing"] = measured("images", "--data", data, interrupt_at=data / "downloads.csv")
        figures["images_at_its_end"] = {"rows_there": _nearly_done(data)} | measured("images", "--data", data)
        rows = sum(1 for _ in tables.rows(data / "downloads.csv"))
        assert rows == figures["lists"]["labels"], f"{rows} rows for {figures['lists']['labels']} labels"
    figures["load_after"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measured(*words: object, interrupt_at: Path | None = None) -> dict[str, Any]:
    """Seconds, CPU seconds and peak memory (MB, 10**6 bytes) of `python -m download WORDS`.

    interrupt_at: a table; when it has grown to a megabyte, the command is interrupted.
    """
    say(f"python -m download {words[0]} ...")
    began = time.monotonic()
    command = [sys.executable, "-m", "download", *map(str, words)]
    with tempfile.TemporaryFile("w+") as said:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, by children too
        process = subprocess.Popen(command, stderr=said, stdout=subprocess.DEVNULL)
        if interrupt_at is not None:
            while process.poll() is None and not (interrupt_at.exists() and interrupt_at.stat().st_size > 1_000_000):
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    assert process.returncode == (0 if interrupt_at is None else 130), text[-2000:]
    result: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1)}
    result |= {"cpu_seconds": round(used.ru_utime + used.ru_stime, 1), "peak_MB": round(used.ru_maxrss * 1024 / 1e6)}
    if found := re.search(r"([\d,]+) labels in", text):
        result["labels"] = int(found[1].replace(",", ""))
    if found := re.search(r"([\d,]+) of [\d,]+ images are done", text):
        result["rows"] = int(found[1].replace(",", ""))
    return result


def _real(source: Path) -> Iterator[tuple[str, list[bytes]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isreg() and member.name.endswith(".txt") and (file := archive.extractfile(member)):
                yield member.name, file.read().splitlines()


def _make(real: list[bytes], lines: int, path: Path) -> None:
    """An archive in the layout of the official one: the real lines repeated, with other hosts and ids."""
    each = -(-lines // IDENTITIES)
    made = 0
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        while made < lines:
            count = min(each, lines - made)
            text = bytearray()
            for number in range(made, made + count):
                turn, index = divmod(number, len(real))
                _, url, rest = real[index].split(b" ", 2)
                scheme, _, host, *path_of = url.split(b"/", 3)
                url = b"%s//t%d.%s/%s" % (scheme, turn // 2, host, b"".join(path_of))  # hosts: some 150,000
                text += b"%08d %s %s\n" % (number - made + 1, url, rest)
            member = tarfile.TarInfo(f"vgg_face_dataset/files/Name_{made // each:04}.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
            made += count


def _move_inside(labels: Path) -> None:
    """Replace each host of labels.csv by an address of its own in 10.0.0.0/8; the path stays."""

    def moved() -> Iterator[tables.Row]:
        for row in tables.rows(labels):
            _, _, host, *path = row["url"].split("/", 3)
            a, b, c = hashlib.sha256(host.encode()).digest()[:3]
            yield row | {"url": f"http://10.{a}.{b}.{c}/{''.join(path)}"}

    tables.write(labels, moved())


def _nearly_done(data: Path) -> int:
    """Write a downloads.csv with a row for all images but each twentieth; returns their number."""
    count = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for number, label in enumerate(tables.rows(data / "labels.csv")):
            if number % 20 == 0:
                continue
            count += 1
            row: dict[str, Any] = {"image_id": label["image_id"], "attempts": 1, "seconds": "0.500"}
            if number % 2:  # half of the web is gone; the photos themselves are not looked at again
                row |= {"status": "ok", "http_status": 200, "path": f"images/{label['image_id']}.jpg", "width": 500}
                row |= {"height": 400, "bytes": 30_000, "sha256": hashlib.sha256(str(number).encode()).hexdigest()}
            else:
                row |= {"status": "refused", "reason": "http_404", "http_status": 404}
            yield row

    tables.write(data / "downloads.csv", rows())
    return count


if __name__ == "__main__":
    commandline.main(run, Options)
