"""A web site on loopback with a VGG-style list and its photos, made of any folder with a boxes.csv.

    python -m demo.site FOLDER --faults

It is a real HTTP server, to show and measure downloads without the internet. With faults it behaves as the web does,
and knows which photo has which fault, so that one can check what became of it.
"""

import io
import random
import tarfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import numpy as np
import tyro

from dataset import tables
from visavis.boxes import area, as_boxes
from visavis.commands.commandline import Seconds, main
from visavis.errors import InputError
from visavis.messages import say
from visavis.options import Port, Seed

ARCHIVE = "vgg_face_dataset.tar.gz"

FAULTS: dict[str, str] = {
    "missing": "answers 404",
    "html": "answers 200 with an HTML page",
    "truncated": "the photo's bytes end in the middle",
    "slow": "the photo comes late, but whole",
    "replaced": "another picture comes, without a face",
    "twice": "the photo is listed a second time, under another address",
}
"""Each fault, and what the site does."""

SHARE = 30
"""One photo in so many gets each fault, and at least one photo."""


@dataclass
class Options:
    """Serve a folder of photos as a VGG-style list on loopback, until Ctrl-C."""

    folder: tyro.conf.Positional[Path]
    """Folder with boxes.csv (image,x1,y1,x2,y2[,identity]) and the photos, in images/ or beside it."""
    port: Port = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    faults: bool = False
    """Misbehave as the web does: 404, HTML, truncated, slow, replaced and repeated photos."""
    delay: Seconds = 2.0
    """How long a slow photo is delayed."""
    seed: Seed = 0
    """Seed of the random choice of the photos that get a fault."""


@dataclass(frozen=True)
class ListedFace:
    """A photo, by its name in boxes.csv, and its largest face. box: x1 y1 x2 y2, pixels."""

    identity: str
    name: str
    path: Path
    box: tuple[float, float, float, float]


class Site:
    """The server; use as a context manager, it answers inside the block.

    faults: image_id (as download assigns it) -> its fault, one of `FAULTS`. For `twice` the image_id is that of the
    second line of the list; `first_of` gives that of the first one.
    Raises InputError for a folder without a usable boxes.csv, and for a port that is taken.
    """

    def __init__(
        self, folder: Path, port: int = 0, with_faults: bool = False, delay: float = 2.0, seed: int = 0
    ) -> None:
        labels = read_labels(folder)
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise InputError(f"cannot serve on port {port}: {error}; give another --port, or 0") from None
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self.archive_address = f"{self.address}/{ARCHIVE}"
        self.faults: dict[str, str] = {}
        self.first_of: dict[str, str] = {}
        self.photos = len(labels)
        lines = self._publish(labels, _choose(len(labels), seed) if with_faults else {}, delay)
        self._server.answers[f"/{ARCHIVE}"] = partial(_ok, _archive(lines), "application/gzip")

    def __enter__(self) -> "Site":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None):
        self._server.shutdown()
        self._server.server_close()

    def _publish(self, labels: list[ListedFace], spoilt: dict[int, str], delay: float) -> dict[str, list[str]]:
        """Give each photo an address and an answer; return identity -> the lines of its list."""
        lines: dict[str, list[str]] = defaultdict(list)
        again = []
        for position, label in enumerate(labels):
            fault = spoilt.get(position, "")
            image_id = self._list(lines, label, "photos", _answer(label.path, fault, delay))
            if fault == "twice":
                again.append((image_id, label))
            elif fault:
                self.faults[image_id] = fault
        for first, label in again:
            second = self._list(lines, label, "mirror", _answer(label.path, "", delay))
            self.faults[second] = "twice"
            self.first_of[second] = first
        return lines

    def _list(self, lines: dict[str, list[str]], label: ListedFace, place: str, answer: "Answer") -> str:
        path = f"/{place}/{quote(label.name)}"
        self._server.answers[path] = answer
        number = f"{len(lines[label.identity]) + 1:08d}"
        corners = " ".join(f"{corner:.2f}" for corner in label.box)
        lines[label.identity].append(f"{number} {self.address}{path} {corners} 4.00 1.00 1")
        return f"{label.identity}/{number}"


def read_labels(folder: Path) -> list[ListedFace]:
    """Each photo of FOLDER/boxes.csv once, with its largest face, in the table's order.

    A photo without an identity is its own, named after the file. Raises InputError.
    """
    if not folder.is_dir():
        raise InputError(f"no folder at {folder}; give one with photos and a boxes.csv")
    table = folder / "boxes.csv"
    faces: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    identities: dict[str, str] = {}
    for line, row in enumerate(tables.rows(table, ("image", "x1", "y1", "x2", "y2")), start=2):
        faces[row["image"]].append(tables.box(row, table, line))
        identities[row["image"]] = row.get("identity") or Path(row["image"]).stem
    if not faces:
        raise InputError(f"{table} names no photo; give a row for each face")
    place = folder / "images" if (folder / "images").is_dir() else folder
    labels = []
    for name, boxes in faces.items():
        if not (place / name).is_file():
            raise InputError(f"{table} names {name}, which is not in {place}; drop its rows or add the photo")
        labels.append(ListedFace(identities[name], name, place / name, boxes[int(np.argmax(area(as_boxes(boxes))))]))
    return labels


def run(options: Options) -> int:
    """Print the addresses and serve until interrupted."""
    with Site(options.folder, options.port, options.faults, options.delay, options.seed) as site:
        print(site.archive_address, flush=True)
        say(f"{site.photos:,} photos at {site.address}/photos/; fetch them with")
        say(f"  python -m download lists {site.archive_address}")
        say("  python -m download images --allow-private")
        for image_id, fault in site.faults.items():
            say(f"{image_id}: {FAULTS[fault]}")
        threading.Event().wait()
    return 0


Answer = Callable[[], tuple[int, str, bytes]]
"""Makes the status, the content type and the body of a page when it is requested."""


def _ok(body: bytes, kind: str = "image/jpeg") -> tuple[int, str, bytes]:
    return 200, kind, body


def _answer(photo: Path, fault: str, delay: float) -> Answer:
    def whole() -> tuple[int, str, bytes]:
        return _ok(photo.read_bytes())

    def late() -> tuple[int, str, bytes]:
        time.sleep(delay)
        return whole()

    def halved() -> tuple[int, str, bytes]:
        data = photo.read_bytes()
        return _ok(data[: len(data) // 2])

    answers: dict[str, Answer] = {
        "missing": lambda: _NOT_FOUND,
        "html": lambda: (200, "text/html", b"<!DOCTYPE html><title>Gallery</title><p>This picture has moved.</p>\n"),
        "truncated": halved,
        "slow": late,
        "replaced": lambda: _ok(_faceless()),
    }
    return answers.get(fault, whole)


def _choose(count: int, seed: int) -> dict[int, str]:
    """Position of a photo -> its fault. One photo in `SHARE` gets each fault, and none gets two. Raises InputError."""
    if count < len(FAULTS):
        raise InputError(f"{count} photos are too few for {len(FAULTS)} faults; add photos or leave --faults out")
    each = max(1, count // SHARE)
    positions = random.Random(seed).sample(range(count), each * len(FAULTS))
    return {position: fault for start, fault in enumerate(FAULTS) for position in positions[start :: len(FAULTS)]}


def _archive(lines: dict[str, list[str]]) -> bytes:
    """The official archive's layout: a README, and a file for each identity."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as archive:
        files = {"README": ["id url left top right bottom pose detection_score curation"]}
        files |= {f"files/{identity}.txt": listed for identity, listed in sorted(lines.items())}
        for name, text in files.items():
            data = ("\n".join(text) + "\n").encode()
            member = tarfile.TarInfo(f"vgg_face_dataset/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def _faceless() -> bytes:
    import skimage

    return (Path(skimage.__file__).parent / "data" / "rocket.jpg").read_bytes()


_NOT_FOUND = (404, "text/plain", b"there is nothing here\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the default of 5 refuses a downloader that opens many connections at once

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.answers: dict[str, Answer] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    disable_nagle_algorithm = True  # it would hold a small body back until the client acknowledges the headers
    timeout = 60
    server: _Server  # type: ignore[bad-override-mutable-attribute]  # it is handed to a _Server alone

    def do_GET(self) -> None:
        status, kind, body = self.server.answers.get(self.path, lambda: _NOT_FOUND)()
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
        except ConnectionError:  # the client has left, as clients do; the next one is waiting
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: thousands of photos are requested."""


if __name__ == "__main__":
    main(run, Options)
