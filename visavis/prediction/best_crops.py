"""The best crop of each person of a video: crops/VIDEO/1.jpg is the person with number 1."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visavis import images
from visavis.analysers.sharpness import Sharpness
from visavis.faces import Faces
from visavis.files import replaced
from visavis.images import Picture
from visavis.prediction.crops import Crops


class BestCrops:
    """Writes them while a video is searched, each in place of one that was worse.

    The best has the largest product of score, size (the shorter side, in pixels) and sharpness.
    """

    def __init__(self, folder: Path, place: str, crops: Crops) -> None:
        self._folder, self._place, self._crops = folder, place, crops
        self._best: dict[int, float] = {}

    def look(self, picture: Picture, faces: Faces, captions: Sequence[tuple[str, ...]]) -> None:
        """Take a frame that was searched, its faces and the comments of their files. Raises OSError."""
        numbers = faces.attributes["track"].tolist()
        for face, (number, value) in enumerate(zip(numbers, worth(picture, faces), strict=True)):
            if not number or value <= self._best.get(number, -1):
                continue
            self._best[number] = value
            data = images.encode(self._crops.cut(picture, faces.boxes[face]), quality=95, comment=captions[face][0])
            with replaced(self._folder / self._crops.name(self._place, str(number)), "wb", durable=False) as file:
                file.write(data)


def worth(picture: Picture, faces: Faces) -> list[float]:
    """How good a picture of its person each face is. One whose sharpness is not known is better than none."""
    sharp = np.nan_to_num(Sharpness().analyse(picture, faces).attributes["sharpness"])
    sizes = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
    return [float(value) for value in np.asarray(faces.scores) * sizes * np.maximum(sharp, 1e-3)]
