"""Boosted trees that judge windows by what can be measured in them: histograms of gradients, and grey pixels.

The histograms (Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", 2005) are scikit-image's, the
trees LightGBM's. Windows are a cell of eight pixels apart: so the cells of a whole picture are worked out once.
A checkpoint holds the trees as LightGBM's text, in bytes; reading it runs no code.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from visavis import checkpoint
from visavis.cores import cores
from visavis.detectors.sliding_window.design import Design
from visavis.detectors.sliding_window.windows import SIDE
from visavis.errors import InputError
from visavis.extras import needed
from visavis.images import Picture, grey

CELL, DIRECTIONS = 8, 9
"""Pixels a side of the cells of which a histogram is made, and bars of a histogram."""
COARSE = 4
"""Pixels of the scaled picture that a grey pixel is the mean of."""
INSTALL = "pip install 'visavis[trees]'"
MODEL = "trees"
"""The name of the text among the checkpoint's tensors."""


def measured(picture: Picture) -> NDArray[np.float32]:
    """(rows, columns, F): what is measured in each window of a scaled picture, `CELL` pixels apart."""
    hog: Any = needed("skimage.feature", "window_trees", INSTALL)
    light = grey(picture)
    # Each block of two by two cells has been made independent of its contrast.
    blocks = hog.hog(light, DIRECTIONS, (CELL, CELL), (2, 2), feature_vector=False)
    side = SIDE // CELL - 1
    histograms = sliding_window_view(blocks, (side, side), axis=(0, 1))
    height, width = light.shape
    means = light.reshape(height // COARSE, COARSE, width // COARSE, COARSE).mean(axis=(1, 3))
    pixels = sliding_window_view(means, (SIDE // COARSE, SIDE // COARSE))[:: CELL // COARSE, :: CELL // COARSE]
    parts = [one.reshape(*histograms.shape[:2], -1) for one in (histograms, pixels)]
    return np.concatenate(parts, axis=2).astype(np.float32)


class Trees:
    """Trees and the windows that they know. model: a lightgbm.Booster."""

    def __init__(self, model: Any, design: Design) -> None:
        self.model, self.design = model, design

    def judge(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See visavis.detectors.sliding_window.detector.Judge."""
        seen = np.stack([measured(picture) for picture in pictures])
        scores = self.model.predict(seen.reshape(-1, seen.shape[-1]), num_threads=cores())
        return np.asarray(scores, np.float32).reshape(seen.shape[:3])

    def tensors(self) -> dict[str, NDArray[np.uint8]]:
        """For a checkpoint."""
        return {MODEL: np.frombuffer(self.model.model_to_string().encode(), np.uint8)}


def of_checkpoint(path: Path, metadata: dict[str, Any]) -> Trees:
    """The trees of a checkpoint. Raises InputError for a file that is damaged, or without the package."""
    lightgbm: Any = needed("lightgbm", str(path), INSTALL)
    text = checkpoint.arrays(path)[MODEL].tobytes().decode()
    try:
        model = lightgbm.Booster(model_str=text, params={"verbosity": -1})
    except lightgbm.basic.LightGBMError as error:
        raise InputError(f"{path} holds no trees that LightGBM can read ({error}); train them anew") from None
    return Trees(model, Design.of(metadata["windows"]))
