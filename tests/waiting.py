"""An asynchronous client for tests that wait for each answer, from as many threads as they like."""

import asyncio
import threading
from typing import Any

from download.http import Client, Fetched


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
