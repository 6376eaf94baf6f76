"""What networks learn from a data folder: where faces are, and what faces tell. One file each.

A subject has the photos to learn from and those held out, hands out what is learnt, and judges how much of it was.
train.py trains any of them in one way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dataset.photos import Photo, Photos
from visavis import kinds
from visavis.calibration import Calibration
from visavis.training.pictures import Items
from visavis.training.validation import Outcome

if TYPE_CHECKING:
    import torch

    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop

SUBJECTS = {
    "faces": "dataset.subjects.faces:Faces",
    "windows": "dataset.subjects.windows:Windows",
    "window_trees": "dataset.subjects.window_trees:WindowTrees",
    "attributes": "dataset.subjects.attributes:Attributes",
    "points": "dataset.subjects.points:Points",
}
"""What the `learns` of a kind names -> `module:class`."""


class Subject(Protocol):
    """Made of (folder, photos, held_out): some photos of a data folder, of which it keeps those that it can use."""

    photos: Photos
    held_out: Photos
    only: dict[str, Any]
    """Options of train.py that mean nothing here, and the one value that each may have."""

    def check(self) -> None:
        """Say what there is to learn. Raises InputError where nothing is, or nothing to judge it by."""
        ...

    def dataset(self, model: Any, transforms: str, mosaic: int | None, seed: int) -> Any:
        """What `model` learns from: a map-style Dataset of (image, target), with name(number), tell_unreadable()."""
        ...

    def ratios(self, mosaic: int | None) -> Any:
        """Width over height of each item where they differ; see dataset.samplers.Batches."""
        ...

    def count(self) -> int:
        """How many items the dataset has."""
        ...

    def judged(
        self, model: Any, on: "torch.device", world: "World", stop: "Stop", kind: str, scoring: Calibration
    ) -> Outcome | None:
        """How much of it `model` has learnt, by the photos held out; None where `stop` came in between."""
        ...

    def draw(self, path: Path, learner: "Learner", items: Items, names: Sequence[str]) -> None:
        """A sheet of what the network sees in training."""
        ...

    def set_aside(self, folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
        """Put a batch of a loss that is not finite into a folder."""
        ...


@runtime_checkable
class Grown(Protocol):
    """A subject that is learnt in one go, and not step by step."""

    photos: Photos
    held_out: Photos

    def grow(self, out: Path, metadata: dict[str, Any], seed: int, **design: Any) -> Outcome:
        """Learn it, and write best.safetensors with `metadata` and a record into `out`. design: options of train.py
        that the kind's DESIGN names. Returns what was learnt of it, by the photos held out."""
        ...


def of(arch: str) -> Callable[[Path, Sequence[Photo], Sequence[Photo]], Subject]:
    """What makes the subject that networks of this architecture learn. Raises InputError for an unknown one."""
    name, which = kinds.of_arch(arch)[1].learns(arch)
    module, called = SUBJECTS[name].split(":")
    return partial(getattr(import_module(module), called), **which)
