"""Where the ONNX file of a checkpoint is: beside it, or in the user's cache, made there when it is first asked for.

Each file says which checkpoint it is of, by its SHA-256: one that is of another is passed over.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from visavis import checkpoint
from visavis.calibration import of_checkpoint
from visavis.detectors.faster_rcnn.sizing import COARSE, Sizing
from visavis.errors import InputError
from visavis.extras import needed
from visavis.files import replaced
from visavis.messages import say

MADE = 4
"""Counts up when what is written changes, so that older files are passed over."""
KEY = "visavis"
"""The entry of the file's metadata that ours lie under, as JSON."""
FIRST = "made"
"""The first name in it."""
LONGEST = 4096
"""Bytes at the file's end among which the metadata are."""
INSTALL = "pip install 'visavis[train]'"


def file(path: Path) -> Path:
    """The ONNX file of the checkpoint at `path`, made in the cache if it is nowhere. Raises InputError."""
    found = beside(path)
    if found is not None:
        return found
    cached = cache() / f"{checkpoint.fingerprint(path)}-{MADE}.onnx"
    if not _is_of(path, cached):
        say(f"exporting {path} to {cached}, once")
        try:
            write(path, cached)
        except OSError as error:
            where = "set XDG_CACHE_HOME to a folder that can be written to, or take `backend` torch"
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
    """What `write` put at the file's end; nothing where the file is not ours."""
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - LONGEST))
        _, found, text = opened.read().rpartition(f'{{"{FIRST}"'.encode())
    try:
        return json.loads(found + text) if found else {}
    except ValueError:  # some other program's, or damaged
        return {}


def sizing(file: Path) -> Sizing:
    """How large a picture goes into the network by itself."""
    known = metadata(file)
    enlarge, closer = known["enlarge"] or math.inf, known["closer"]
    coarse = known.get("coarse", COARSE if closer > 1 else 0)  # older files do not say it
    return Sizing(known["shorter"], known["longest"], enlarge, known["multiple"], closer, coarse)


def write(path: Path, out: Path) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces. Raises InputError where it is no
    checkpoint or a package is missing, and OSError where the file cannot be written.
    """
    for package in ("torch", "torchvision", "onnx", "onnxscript"):
        needed(package, "exporting", INSTALL)
    from visavis.detectors.faster_rcnn import architectures as faster_rcnn
    from visavis.detectors.faster_rcnn import onnx_file

    weights, known = checkpoint.load(path)
    model = faster_rcnn.of_checkpoint(weights, known, str(path))
    size: Sizing = model.transform.sizing
    told = {
        FIRST: MADE,
        "checkpoint": checkpoint.fingerprint(path),
        "arch": known["arch"],
        "threshold": known.get("threshold", 0.5),
        "shorter": size.shorter,
        "longest": size.longest,
        "enlarge": None if size.enlarge == math.inf else size.enlarge,
        "multiple": size.multiple,
        "closer": size.closer,
        "coarse": size.coarse,
    }
    data = onnx_file.whole(model, of_checkpoint(known), {KEY: json.dumps(told)})
    with replaced(out, "wb") as opened:
        opened.write(data)


def _is_of(path: Path, file: Path) -> bool:
    """Whether there is such an ONNX file, and it was made of the checkpoint at `path` as that is now."""
    known = metadata(file) if file.is_file() else {}
    return known.get(FIRST) == MADE and known.get("checkpoint") == checkpoint.fingerprint(path)
