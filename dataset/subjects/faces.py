"""Where faces are: what detectors learn."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dataset.checks import check
from dataset.faces import FaceDataset
from dataset.photos import Photo, Photos
from dataset.transforms import SPARE, preset
from dataset.validation import evaluate
from visavis.calibration import Calibration
from visavis.training.pictures import Items, draw_batches, set_aside
from visavis.training.validation import Outcome

if TYPE_CHECKING:
    import torch

    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop


class Faces:
    """See dataset.subjects.Subject."""

    only: ClassVar[dict[str, Any]] = {}

    def __init__(self, folder: Path, photos: Sequence[Photo], held_out: Sequence[Photo]) -> None:
        self.folder = folder
        self.photos, self.held_out = (some if isinstance(some, Photos) else Photos(some) for some in (photos, held_out))

    def check(self) -> None:
        """Say which photos are not there."""
        check(self.folder, self.photos, self.held_out)

    def dataset(self, model: Any, transforms: str, mosaic: int | None, seed: int) -> FaceDataset:
        """Photos, or mosaics of them, no larger than the network has use for."""
        augmented = preset(transforms, reframe=mosaic is None)
        spare = SPARE[transforms] if mosaic is None else 2.0
        needed = math.ceil(spare * model.transform.largest)
        return FaceDataset(self.photos, augmented, mosaic, needed, seed, as_bytes=True)

    def ratios(self, mosaic: int | None) -> Any:
        """Mosaics have one shape."""
        return self.photos.ratios() if mosaic is None else None

    def count(self) -> int:
        """A photo is an item."""
        return len(self.photos)

    def judged(
        self, model: Any, on: "torch.device", world: "World", stop: "Stop", kind: str, scoring: Calibration
    ) -> Outcome | None:
        """By what it finds."""
        return evaluate(model, self.held_out, on, world, stop, kind, scoring)

    def draw(self, path: Path, learner: "Learner", items: Items, names: Sequence[str]) -> None:
        """With labels, and what is ignored."""
        draw_batches(path, learner, items, names)

    def set_aside(self, folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
        """With boxes."""
        set_aside(folder, items, names, losses)
