"""A network that is shown squares around faces, as an ONNX file and loaded: for all analysers that are trained."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from visavis import checkpoint, onnx_files

if TYPE_CHECKING:
    import torch

Loaded = TypeVar("Loaded")


def write(
    path: Path,
    out: Path,
    restored: Callable[[dict[str, Any], dict[str, Any], str], Any],
    outputs: Callable[[Any], Sequence[str]],
    copied: Sequence[str],
) -> None:
    """Export the checkpoint at `path` to the ONNX file `out`, which it replaces: (N, side, side, 3) uint8 RGB `faces`
    in, what the network gives in evaluation out.

    restored: (weights, metadata, source) -> the network, with its `side`. outputs: their names, in the order in which
    the network gives them. copied: the entries of the checkpoint's metadata that the file has, too. Raises
    InputError if it is no checkpoint or a package is missing, and OSError if the file cannot be written.
    """
    onnx_files.able_to_export()
    weights, known = checkpoint.load(path)
    model = restored(weights, known, str(path))
    said = {name: known[name] for name in copied if name in known}
    onnx_files.save(path, out, lambda metadata: _whole(model, outputs(model), metadata), said)


def loaded(network: Callable[[Path], Loaded], path: Path) -> Loaded:
    """`network(path)`: one for all analysers of a checkpoint, as long as that does not change."""
    return _loaded(network, path, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _loaded(network: Callable[[Path], Loaded], path: Path, changed: int) -> Loaded:
    return network(path)


def _whole(model: Any, names: Sequence[str], metadata: dict[str, str]) -> bytes:
    import torch
    from torch.export import Dim

    from visavis.detectors.faster_rcnn.folding import folded
    from visavis.detectors.faster_rcnn.onnx_file import exported, finished

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = folded(model)

        def forward(self, faces: torch.Tensor) -> "tuple[torch.Tensor, ...]":
            given = self.model(faces.permute(0, 3, 1, 2))
            return tuple(given.values() if isinstance(given, dict) else given)

    faces = torch.zeros(2, model.side, model.side, 3, dtype=torch.uint8)
    file = exported(Network(), (faces,), ["faces"], list(names), ({0: Dim.DYNAMIC},))
    return finished(file, metadata)
