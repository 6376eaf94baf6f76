"""In which windows there is a face, learnt by boosted trees: in one go, and not step by step."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dataset.subjects.windows import Windows
from dataset.windows.photos import WindowDataset
from visavis.detectors.sliding_window.design import DESIGNS
from visavis.detectors.sliding_window.trees import INSTALL, Trees, measured
from visavis.extras import needed
from visavis.files import replaced
from visavis.images import resize
from visavis.messages import say
from visavis.options import plain
from visavis.training.recipe import Recipe

if TYPE_CHECKING:
    from visavis.training.validation import Validation

TREES = 300
GROWTH = {"num_leaves": 31, "learning_rate": 0.1, "min_data_in_leaf": 40, "feature_fraction": 0.3}
"""How trees grow: LightGBM's defaults, but that each sees three tenths of what is measured, so that they differ."""
STEPWISE = {"compile": False, "channels_last": True, "precision": "auto", "patience": None, "workers": "auto"}
"""Options of trainings that go step by step."""


class WindowTrees(Windows):
    """See dataset.subjects.Subject."""

    only: ClassVar[dict[str, Any]] = (
        Windows.only
        | plain(Recipe())
        | STEPWISE
        | {
            "resume": False,
            "transforms": None,
            "init": "none",
        }
    )

    def grow(self, out: Path, metadata: dict[str, Any], seed: int, **design: Any) -> "Validation":
        """Learn, judge what was learnt by whole photos, and write best.safetensors and pictures into `out`."""
        from dataset.validation import evaluate
        from visavis import checkpoint

        lightgbm: Any = needed("lightgbm", "window_trees", INSTALL)
        windows = WindowDataset(self.photos, DESIGNS["window_trees"].other(**design), "none", seed)
        seen, labels = shown(windows)
        weights = windows.weights[labels.astype(int)]
        say(f"{len(labels):,} windows, {int(labels.sum()):,} of them with a face; {TREES} trees")
        how = GROWTH | {"objective": "binary", "seed": seed, "deterministic": True, "verbosity": -1}
        model = lightgbm.train(how, lightgbm.Dataset(seen, labels, weight=weights), TREES)
        trees = Trees(model, windows.design)
        outcome = evaluate(trees, self.held_out, None, kind="window_trees")  # type: ignore[bad-argument-type]
        assert outcome is not None  # nobody can ask it to stop
        threshold = outcome.threshold(0.5)
        metadata = metadata | {"threshold": round(threshold, 4), "windows": windows.design.plain()}
        metadata |= {"validation": {name: value and round(value, 4) for name, value in outcome.figures().items()}}
        checkpoint.save_arrays(out / "best.safetensors", trees.tensors(), metadata)
        with replaced(out / "metrics.jsonl") as file:
            file.write(json.dumps({"epoch": 1} | outcome.figures()) + "\n")
        outcome.show(out, self.held_out, threshold)
        return outcome


def shown(windows: WindowDataset) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(N, F) what is measured in windows of all photos that can be read, and (N,) whether each is a face."""
    seen, labels = [], []
    dice = np.random.default_rng(windows.seed)
    for number in tqdm(range(len(windows)), "windows", unit="photo", file=sys.stderr):
        read = windows.read(number)
        if read is None:
            continue
        picture, faces, ignored = read
        for layer, numbers, given in windows.drawn(picture, faces, ignored, dice):
            seen.append(measured(resize(picture, layer.scaled))[np.unravel_index(numbers, layer.shape)])
            labels.append(given)
    if not seen:
        raise windows.unusable()
    return np.concatenate(seen), np.concatenate(labels)
