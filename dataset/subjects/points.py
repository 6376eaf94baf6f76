"""Where the points of faces are: what networks of the kind face_points learn."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from dataset.photos import Photo, Photos
from dataset.point_crops import PointDataset, slots, unlike
from dataset.subjects.answering import answers
from visavis.analysers.crops import Frame
from visavis.calibration import Calibration
from visavis.data import points
from visavis.drawing import contact_sheet, points_on
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.training.pictures import Items, as_picture, write, written_aside
from visavis.training.points import Located

if TYPE_CHECKING:
    from visavis.training.distributed import World
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop


class Points:
    """See dataset.subjects.Subject."""

    only: ClassVar[dict[str, Any]] = {"mosaic": None, "size": None, "teacher": None}

    def __init__(self, folder: Path, photos: Sequence[Photo], held_out: Sequence[Photo]) -> None:
        self.folder = folder
        self.labelled = points.read(folder)
        self.photos, self.held_out = (
            Photos(photo for photo in some if photo.image_id in self.labelled) for some in (photos, held_out)
        )

    def check(self) -> None:
        """Say how many faces there are."""
        for split, some in (("train", self.photos), ("val", self.held_out)):
            known = [one for photo in some for one in self.labelled[photo.image_id]]
            if not known:
                raise InputError(
                    f"{self.folder}/points.csv has no face in the split {split!r}; add some with "
                    "`python -m dataset import points68` or `kaggle-keypoints`, or change `val` and `test`"
                )
            whole = sum(not np.isnan(one.points).any() for one in known)
            say(f"{split}: {counted(len(known), 'face')}, {whole} with all of {len(known[0].points)} points")

    def dataset(self, model: Any, transforms: str, mosaic: int | None, seed: int) -> PointDataset:
        """Squares around faces. Raises InputError for unknown `transforms`."""
        return PointDataset(self.photos, self.labelled, model.count, model.side, model.margin, transforms, seed)

    def ratios(self, mosaic: int | None) -> Any:
        """All have one shape."""
        return None

    def count(self) -> int:
        """A face is an item, but an identity is at most a few."""
        return len(slots(self.photos, self.labelled))

    def judged(
        self, model: Any, on: "torch.device", world: "World", stop: "Stop", kind: str, scoring: Calibration
    ) -> Located | None:
        """By the points that it finds in the boxes of the faces whose photos can be read, of an identity a few."""
        crops = PointDataset(self.held_out, self.labelled, model.count, model.side, model.margin)
        faces = unlike(self.held_out, self.labelled)

        def ask(shown: list[tuple[torch.Tensor, Frame]]) -> Iterator[tuple[Any, float, Any]]:
            given = model(torch.stack([image for image, _ in shown]).to(on))
            places = given["points"].cpu().numpy()
            spreads = given["spreads"].cpu().numpy() if "spreads" in given else [None] * len(places)
            for (_, frame), place, spread in zip(shown, places, spreads, strict=True):
                wide = 2 * frame.half
                yield frame.outside(place), wide, None if spread is None else spread * wide

        answered = answers(model, crops, faces, ask, world, stop)
        if answered is None:
            return None
        numbers, rows = zip(*answered, strict=True)
        found, wide, spreads = zip(*rows, strict=True)
        said = None if spreads[0] is None else np.stack(spreads)
        return Located(np.stack(found), crops.points[list(numbers)], np.array(wide) / model.side, said)

    def draw(self, path: Path, learner: "Learner", items: Items, names: Sequence[str]) -> None:
        """With their points."""
        drawn = []
        for image, target in items:
            picture = as_picture(image)
            drawn.append(points_on(picture, target["points"].numpy()[None] * len(picture)))
        write(path, contact_sheet(drawn, cell=224))

    def set_aside(self, folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None:
        """With points."""
        labels = [{"points": [[str(value) for value in pair] for pair in target["points"].tolist()]}
                  for _, target in items]  # fmt: skip
        written_aside(folder, items, labels, names, losses)
