"""A small mix of good and hostile addresses, and what each downloader does with it.

A verdict is wrong if something is kept that is not a whole photo, or a whole photo is not kept.
"""

import io
import ipaddress
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.rivals import IMG2DATASET, PLAIN
from dataset import tables
from download import images
from tests.hostile_site import Site, answer, drip, hang_up
from visavis.messages import say

_OPEN = [ipaddress.ip_network("127.0.0.2/32")]  # stands for the open internet; 127.0.0.1 is inside


def verdicts(img2dataset: Path | None) -> dict[str, dict[str, Any]]:
    """Downloader -> the number of cases, the wrong verdicts, and how often it connected to a forbidden address."""
    found = {}
    for name in ("visavis", "plain loop", "img2dataset"):
        if name == "img2dataset" and img2dataset is None:
            continue
        with Site("127.0.0.2") as site, Site("127.0.0.1") as inside, tempfile.TemporaryDirectory() as folder:
            inside.routes["/photo"] = answer(_photo())
            good = _routes(site, inside)
            urls = {case: site.url(f"/{case}.jpg") for case in good}
            kept = {"visavis": _ours, "plain loop": _plain}.get(name, _theirs)(Path(folder), urls, img2dataset)
            wrong = sorted(case for case in good if good[case] != (case in kept))
            found[name] = {"cases": len(good), "wrong": wrong, "connections_inside": inside.connections}
            say(f"hostile mix: {name}: {found[name]}")
    return found


def _photo(format: str = "JPEG", number: int = 0) -> bytes:
    picture = Image.fromarray(np.random.default_rng(number).integers(0, 255, (80, 96, 3), np.uint8))
    stream = io.BytesIO()
    picture.save(stream, format)
    return stream.getvalue()


def _routes(site: Site, inside: Site) -> dict[str, bool]:
    """Teach the site its cases. Case -> whether there is a whole photo."""
    photo, huge = _photo(), bytearray(_photo("PNG"))
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")

    def short(connection, request):
        connection.sendall(answer(photo, Content_Length=len(photo) + 99))
        hang_up(connection)

    failures = [2]

    def later(connection, request):
        failures[0] -= 1
        connection.sendall(answer(b"", "500 Oh") if failures[0] >= 0 else answer(photo))

    cases: dict[str, tuple[bool, Any]] = {f"good{i}": (True, answer(_photo(number=i))) for i in range(20)}
    cases |= {
        "text_type": (True, answer(photo, Content_Type="text/html")),
        "webp": (True, answer(_photo("WEBP"))),
        "recovers": (True, later),
        "html": (False, answer(b"<html>this domain is for sale</html>")),
        "svg": (False, answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
        "empty": (False, answer(b"")),
        "cut": (False, answer(photo[: len(photo) // 2])),
        "short": (False, short),
        "huge": (False, answer(bytes(huge))),
        "gone": (False, answer(b"no", "404 Not found")),
        "endless": (False, _for_a_while(drip(photo + bytes(65536), answer(Content_Length=None), pause=0.001))),
        "inside": (False, answer(b"", "302 Go", Location=inside.url("/photo"))),
        "noai": (False, answer(photo, X_Robots_Tag="noai")),
    }
    for case, (_, route) in cases.items():
        site.routes[f"/{case}.jpg"] = route
    return {case: whole for case, (whole, _) in cases.items()}


def _for_a_while(route: Any) -> Any:
    """60 MB: an end, for the sake of downloaders that have no limit."""

    class Counted:
        def __init__(self, connection: Any) -> None:
            self.connection, self.left = connection, 60_000_000

        def sendall(self, data: bytes) -> None:
            self.left -= len(data)
            if self.left < 0:
                hang_up(self.connection)
                raise OSError("enough")
            self.connection.sendall(data)

    return lambda connection, request: route(Counted(connection), request)


def _ours(folder: Path, urls: dict[str, str], _: Path | None) -> set[str]:
    empty = dict.fromkeys(tables.COLUMNS["labels.csv"], "1")
    rows = (empty | {"image_id": f"a/{case}", "identity": "a", "url": url} for case, url in urls.items())
    tables.write(folder / "labels.csv", rows)
    images.run(images.Options(data=folder, backoff=0.1, connections=32), allow=_OPEN)
    return {row["image_id"][2:] for row in tables.rows(folder / "downloads.csv") if row["status"] == "ok"}


def _plain(folder: Path, urls: dict[str, str], _: Path | None) -> set[str]:
    (folder / "urls").write_text("\n".join(urls.values()))
    (folder / "out").mkdir()
    subprocess.run([sys.executable, "-c", PLAIN, folder, "32"], check=True)
    cases = list(urls)
    return {cases[int(path.stem)] for path in (folder / "out").iterdir()}


def _theirs(folder: Path, urls: dict[str, str], python: Path | None) -> set[str]:
    (folder / "urls").write_text("\n".join(urls.values()))
    subprocess.run(
        [str(python), "-c", IMG2DATASET, folder, "16", "100"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kept = set()
    for path in (folder / "out").rglob("*.json"):
        sample = json.loads(path.read_text())
        if sample.get("status") == "success":
            kept.add(sample["url"])
    return {case for case, url in urls.items() if url in kept}
