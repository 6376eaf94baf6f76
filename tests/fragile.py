"""A decoder that dies or never ends when told to. The workers that call it import nothing else of the tests."""

import os
import signal
import time
from typing import Any

from download import judge
from download.judge import Judgement

whole = judge.judged


def fragile(body: bytes, *more: Any) -> Judgement:
    """In a worker: a decoder that dies of b"kill", and never ends with b"hang"."""
    if body == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if body == b"hang":
        time.sleep(600)
    return whole(body, *more)
