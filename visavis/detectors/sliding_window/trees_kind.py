"""What visavis.kinds needs to know about boosted trees that judge windows: how to load them, and what they learn."""

from pathlib import Path
from typing import Any

from visavis.calibration import scoring
from visavis.detectors.only_way import none_of
from visavis.detectors.sliding_window.detector import SlidingWindow
from visavis.detectors.sliding_window.trees import Trees, of_checkpoint
from visavis.device import only_cpu
from visavis.errors import InputError

ARCHS = ("window_trees",)
LIGHT = ARCHS
DESIGN = {"window_trees": ("alpha", "sizes")}


def defaults(arch: str) -> tuple[str, str]:
    """Trees have no initial weights."""
    return "none", "none"


def inits(arch: str) -> tuple[str, ...]:
    """Trees begin with nothing."""
    return ("none",)


def learns(arch: str) -> tuple[str, dict[str, Any]]:
    """The subject of dataset.subjects."""
    return "window_trees", {}


def load(path: Path, metadata: dict[str, Any], device: str, threshold: float | None, **options: Any) -> SlidingWindow:
    """The detector of a checkpoint. options: those of `visavis.load_detector`; raises InputError, as trees have none of
    them."""
    none_of(options, "a detector by trees")
    only_cpu(str(path), device)
    return _detector(of_checkpoint(path, metadata), *scoring(metadata, threshold))


def export(path: Path, out: Path) -> None:
    """Always raises InputError: trees are no network."""
    raise InputError(f"{path} holds trees, which LightGBM runs; `visavis export` is for networks")


def detector(trees: Trees, threshold: float, on: Any) -> SlidingWindow:
    """The detector of trees, for validation too."""
    return _detector(trees, threshold)


def _detector(trees: Trees, *scoring: Any) -> SlidingWindow:
    return SlidingWindow(trees.judge, trees.design, *scoring, runs="LightGBM on cpu")
