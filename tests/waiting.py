"""An asynchronous client for tests that wait for each answer, from as many threads as they like."""

import asyncio
import ipaddress
import threading
from typing import Any

from download import address
from download.http import Client, Fetched

PHOTO = b"not decoded here, only fetched" * 100
SITE = ipaddress.ip_network("127.0.0.2/32")  # stands for the open internet; 127.0.0.1 stays forbidden
SOON = 40.0  # seconds: far below what the servers here could stretch, far above what a busy machine takes


class Waiting:
    """`Client`, with a `get` that waits. Its event loop runs in a thread until the block ends."""

    def __init__(self, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.client = Client(**options)

    def __enter__(self) -> "Waiting":
        self._thread.start()
        self._wait(self.client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self.client.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, url: str) -> Fetched:
        return self._wait(self.client.get(url))

    def _wait(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(120)


def client(names: dict[str, list[str]] | None = None, **options: Any) -> Waiting:
    """A client for which `SITE` is the open internet. names: addresses of hosts that no resolver knows."""

    def lookup(host: str, port: int) -> list[str]:
        if names and host in names:
            return names[host]
        return address.lookup(host, port)

    return Waiting(**{"timeout": 90.0, "deadline": 90.0, "allow": [SITE], "lookup": lookup} | options)
