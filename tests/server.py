"""A real `visavis serve` on loopback for the tests."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Served:
    """url: of the page, with the token where there is one. said: what it printed so far."""

    url: str
    process: "subprocess.Popen[str]"
    said: list[str]

    @property
    def base(self) -> str:
        """The address without a token."""
        return self.url.partition("?")[0].rstrip("/")

    def post(self, path: str, data: Any = None, **more: Any) -> requests.Response:
        """The answer to a POST request."""
        return requests.post(self.base + path, data=data, timeout=120, **more)

    def get(self, path: str, **more: Any) -> requests.Response:
        """The answer to a GET request."""
        return requests.get(self.base + path, timeout=120, **more)


@contextmanager
def served(*words: str, **environment: str) -> Iterator[Served]:
    """A server with these options, at any free port, until the block ends."""
    command = [sys.executable, "-m", "visavis", "serve", "--port", "0", "--no-browser", *words]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    said: list[str] = []
    found = None
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"the page is at (\S+)", line):
            break
    assert found, "".join(said)
    reading = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reading.start()
    try:
        yield Served(found[1], process, said)
    finally:
        process.kill()
        process.wait()
        reading.join(10)


def live(server: Served, **more: Any) -> Any:
    """A WebSocket of its live page."""
    from websockets.sync.client import connect

    base = server.base.replace("http", "ws", 1)
    return connect(base + "/v1/live", origin=more.pop("origin", server.base), **more)
