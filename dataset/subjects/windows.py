"""In which windows there is a face: what judges of sliding windows learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dataset.subjects.faces import Faces
from dataset.validation import evaluate
from dataset.windows.photos import WindowDataset
from visavis.calibration import Calibration
from visavis.drawing import contact_sheet
from visavis.training.pictures import Items, as_picture, write
from visavis.training.validation import Validation

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop

SHOWN = 96
"""Windows on a sheet."""


class Windows(Faces):
    """See dataset.subjects.Subject. Photos and labels are those of detectors."""

    only: ClassVar[dict[str, Any]] = {"mosaic": None, "size": None, "teacher": None}

    def dataset(self, model: Any, transforms: str, mosaic: int | None, seed: int) -> Any:
        """A WindowDataset. Raises InputError for unknown `transforms`."""
        return WindowDataset(self.photos, model.design, transforms, seed)

    def ratios(self, mosaic: int | None) -> Any:
        """All windows have one shape."""
        return None

    def judged(
        self, model: Any, on: "torch.device", world: "World", stop: "Stop", kind: str, scoring: Calibration
    ) -> Validation | None:
        """By what it finds in whole photos."""
        found = evaluate(model, self.held_out, on, world, stop, kind, scoring)
        return None if found is None else ByF1(found.scores, found.judged, found.finds)

    def draw(self, path: "Path", learner: "Learner", items: Items, names: Sequence[str]) -> None:
        """Windows of the first photos; those with a face are called so."""
        windows = [(one, "face" if label else "") for image, target in items
                   for one, label in zip(image, target["labels"].tolist(), strict=True)][:SHOWN]  # fmt: skip
        write(path, contact_sheet([as_picture(one) for one, _ in windows], [word for _, word in windows], cell=64))

    def set_aside(self, folder: "Path", items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
        """A sheet of each photo's windows."""
        from visavis.training.pictures import written_aside

        sheets = [(sheet(image), target) for image, target in items]
        labels = [{"labels": target["labels"].tolist()} for _, target in items]
        written_aside(folder, sheets, labels, names, losses)


@dataclass(frozen=True)
class ByF1(Validation):
    """Windows have coarse boxes, of which AP at high IoU says little: the best F1 at IoU 0.5 decides."""

    @property
    def value(self) -> float:
        """See visavis.training.validation.Outcome."""
        return self.scores.best_f1


def sheet(image: "torch.Tensor") -> "torch.Tensor":
    """(3, SIDE, K * SIDE): (K, 3, SIDE, SIDE) windows side by side."""
    return image.permute(1, 2, 0, 3).reshape(3, image.shape[2], -1)
