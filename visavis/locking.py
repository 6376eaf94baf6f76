"""One program at a time: a lock on an open file, which the system lets go of when the process ends, however it ends.

filelock and portalocker were looked at: both lock a file of their own, name no holder, and cannot hand a lock on to the
file that replaces another, which a journal needs.
"""

import fcntl
import os
from pathlib import Path
from typing import IO, Any


def lock(file: IO[Any], path: Path | None = None) -> bool:
    """Lock an open file until it is closed. False where another program holds it.

    path: where it should lie; False also where another file lies there by now.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path is None or os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
