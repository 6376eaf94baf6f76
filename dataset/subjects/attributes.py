"""What faces tell, mask, age and gender: what networks of the kind face_attributes learn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from dataset.crops import CropDataset, summary
from dataset.photos import Photo, Photos
from dataset.subjects.answering import answers
from visavis.calibration import Calibration
from visavis.data import attributes
from visavis.data.attributes import GENDERS, MASKS
from visavis.drawing import contact_sheet
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.training.attributes import Predictions
from visavis.training.pictures import Items, as_picture, write, written_aside

if TYPE_CHECKING:
    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop


class Attributes:
    """See dataset.subjects.Subject."""

    only: ClassVar[dict[str, Any]] = {"mosaic": None, "size": None, "teacher": None}

    def __init__(
        self,
        folder: Path,
        photos: Sequence[Photo],
        held_out: Sequence[Photo],
        heads: Sequence[str] = attributes.ATTRIBUTES,
    ) -> None:
        """heads: what is learnt of each face; those of which nothing of that is known are left out."""
        self.folder, self.heads = folder, heads
        self.known = attributes.of(attributes.read(folder), heads)
        self.photos, self.held_out = (
            Photos(photo for photo in some if photo.image_id in self.known) for some in (photos, held_out)
        )

    def check(self) -> None:
        """Say how many labels there are of what."""
        for split, some in (("train", self.photos), ("val", self.held_out)):
            crops = CropDataset(some, self.known, 1, 1.0)
            if not len(crops):
                raise InputError(
                    f"{self.folder}/attributes.csv has no {' or '.join(self.heads)} of a face in the split "
                    f"{split!r}; add some with `python -m dataset import utkface`, `fairface` or `masks`, or change "
                    "`val` and `test`"
                )
            say(f"{split}: {counted(len(crops), 'face')}; {summary(crops, self.heads)}")

    def dataset(self, model: Any, transforms: str, mosaic: int | None, seed: int) -> CropDataset:
        """Squares around faces. Raises InputError for unknown `transforms`."""
        return CropDataset(self.photos, self.known, model.side, model.margin, transforms, seed)

    def ratios(self, mosaic: int | None) -> Any:
        """All have one shape."""
        return None

    def count(self) -> int:
        """A face is an item."""
        return sum(len(self.known[photo.image_id]) for photo in self.photos)

    def judged(
        self, model: Any, on: "torch.device", world: "World", stop: "Stop", kind: str, scoring: Calibration
    ) -> Predictions | None:
        """By its answers on the faces whose photos can be read."""
        crops = CropDataset(self.held_out, self.known, model.side, model.margin)

        def ask(images: list[torch.Tensor]) -> Any:
            return torch.cat([one.cpu() for one in model(torch.stack(images).to(on)).values()], dim=1).numpy()

        answered = answers(model, crops, range(len(crops)), ask, world, stop)
        if answered is None:
            return None
        numbers, rows = zip(*answered, strict=True)
        return Predictions.of(np.stack(rows), model.predicts, crops.labels[list(numbers)])

    def draw(self, path: Path, learner: "Learner", items: Items, names: Sequence[str]) -> None:
        """With what is known of each."""
        captions = [_caption(target) for _, target in items]
        write(path, contact_sheet([as_picture(image) for image, _ in items], captions, cell=144))

    def set_aside(self, folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
        """With labels."""
        labels = [{name: float(value) for name, value in target.items()} for _, target in items]
        written_aside(folder, items, labels, names, losses)


def _caption(target: dict[str, Any]) -> str:
    mask, gender = int(target["mask"]), int(target["gender"])
    low, high = float(target["age_low"]), float(target["age_high"])
    age = "" if low < 0 else f"{low:.0f}" if low == high else f"{low:.0f}-{high:.0f}"
    return " ".join(filter(None, (MASKS[mask] if mask >= 0 else "", age, GENDERS[gender] if gender >= 0 else "")))
