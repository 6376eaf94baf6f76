"""Where the ONNX file of a checkpoint is: beside it, or in the user's cache, made there when it is first asked for.

Each file says which checkpoint it is of, by its SHA-256: one that is of another is passed over.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visavis import checkpoint
from visavis.errors import InputError
from visavis.extras import needed
from visavis.files import replaced
from visavis.messages import say

MADE = 5
"""Counts up when what is written changes, so that older files are passed over."""
KEY = "visavis"
"""The entry of the file's metadata that ours lie under, as JSON."""
FIRST = "made"
"""The first name in it."""
LONGEST = 4096
"""Bytes at the file's end among which the metadata are."""
INSTALL = "pip install 'visavis[train]'"


def file(path: Path, write: Callable[[Path, Path], None], otherwise: str = "") -> Path:
    """The ONNX file of the checkpoint at `path`, made in the cache by `write` if it is nowhere. Raises InputError.

    otherwise: what else its user may do where it cannot be written there."""
    found = beside(path)
    if found is not None:
        return found
    cached = cache() / f"{checkpoint.fingerprint(path)}-{MADE}.onnx"
    if not _is_of(path, cached):
        say(f"exporting {path} to {cached}, once")
        try:
            write(path, cached)
        except OSError as error:
            where = f"set XDG_CACHE_HOME to a folder that can be written to{otherwise}"
            raise InputError(f"cannot write {cached}: {error.strerror}; {where}") from None
    return cached


def beside(path: Path) -> Path | None:
    """The file of the same name with .onnx for an ending, if it is of the checkpoint as that is now."""
    file = path.with_suffix(".onnx")
    return file if _is_of(path, file) else None


def cache() -> Path:
    """The user's folder for what can be made again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visavis"


def metadata(file: Path) -> dict[str, Any]:
    """What `save` put at the file's end; nothing where the file is not ours."""
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - LONGEST))
        _, found, text = opened.read().rpartition(f'{{"{FIRST}"'.encode())
    try:
        return json.loads(found + text) if found else {}
    except ValueError:  # some other program's, or damaged
        return {}


def session(file: Path, threads: int) -> Any:
    """A network in ONNX Runtime, on the CPU. Raises InputError for a file that is damaged."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 its errors are fifteen classes that have nothing else in common
        raise damaged(file, error) from None


def damaged(file: Path, error: Exception) -> InputError:
    """What to raise for a file that a runtime cannot use."""
    why = " ".join(str(error).split())[:200]
    return InputError(f"{file} cannot be used ({why}); remove it, and python -m visavis.export makes it anew")


def able_to_export() -> None:
    """Raises InputError where a package is missing that exporting needs."""
    for package in ("torch", "torchvision", "onnx", "onnxscript"):
        needed(package, "exporting", INSTALL)


def save(path: Path, out: Path, make: Callable[[dict[str, str]], bytes], entries: dict[str, Any]) -> None:
    """Write the ONNX file `out` of the checkpoint at `path`. make: the file's bytes, given its metadata. entries: what
    those say besides. Raises OSError where it cannot be written."""
    entries = {FIRST: MADE, "checkpoint": checkpoint.fingerprint(path)} | entries
    data = make({KEY: json.dumps(entries)})
    with replaced(out, "wb") as opened:
        opened.write(data)


def _is_of(path: Path, file: Path) -> bool:
    """Whether there is such an ONNX file, and it was made of the checkpoint at `path` as that is now."""
    known = metadata(file) if file.is_file() else {}
    return known.get(FIRST) == MADE and known.get("checkpoint") == checkpoint.fingerprint(path)
