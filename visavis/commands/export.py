"""Write a network as an ONNX file for other programs: `python -m visavis.export runs/faces/best.safetensors`.

The inputs and outputs of the file: docs/backends.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from visavis.errors import InputError
from visavis.messages import say


@dataclass
class Options:
    """Write a network as one ONNX file. A detector's takes a photo of any size and returns boxes and scores, that of an
    analyser takes squares around faces."""

    source: Annotated[Path | None, tyro.conf.Positional] = None
    """A checkpoint that train.py wrote; by default the detector that comes with the project."""
    out: Path | None = None
    """The file to write; by default beside the checkpoint with the ending .onnx, where load_detector finds it."""
    overwrite: bool = False
    """Replace the file if it exists."""


def export(options: Options) -> int:
    """Write the file, and say how large it is. Raises InputError if it exists or cannot be written, and if there is no
    checkpoint."""
    from visavis import checkpoint, kinds
    from visavis.checkpoint import SHIPPED

    source = options.source or SHIPPED
    out = options.out or source.parent / f"{source.stem}.onnx"
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; give the name of a file, such as {out / 'detector.onnx'}")
    if out.exists() and not options.overwrite:
        raise InputError(f"{out} exists already; give another --out, or --overwrite")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)  # now, and not after seconds of work
        kinds.of(checkpoint.metadata(source), source).export(source, out)
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror}; give another --out") from None
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    return 0
