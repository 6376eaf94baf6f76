"""Cascades in OpenCV's XML format, such as haarcascade_frontalface_default.xml, as OpenCV uses them."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from visavis.detectors.viola_jones.cascade import Cascade, Stage
from visavis.errors import InputError

CONTRAST = 10.0
"""OpenCV drops windows whose standard deviation is not above this."""
INSET = 1
"""Pixels on each side of a window without which OpenCV measures the deviation."""
SLACK = 1e-5
"""By which OpenCV lowers the thresholds of stages."""


def read(path: Path) -> Cascade:
    """Raises InputError for what is not a cascade of upright Haar-like features with decision stumps."""
    try:
        root = ElementTree.parse(path).getroot().find("cascade")
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: of its encoding
        raise InputError(f"{path} is not a cascade of OpenCV: {error}") from None
    if root is None or root.findtext("featureType") != "HAAR":
        raise InputError(
            f"{path} is not a cascade of OpenCV with Haar-like features; give one written by OpenCV 3 or 4"
        )
    if any((node.text or "").strip() not in ("", "0") for node in root.iter("tilted")):
        raise InputError(f"{path} has tilted features, which viola_jones does not know; give a cascade without them")
    try:
        width, height = (int(root.findtext(name, "")) for name in ("width", "height"))
        if min(width, height) <= 2 * INSET:
            raise ValueError(f"its window has {width} x {height} pixels")
        features = _rectangles(root, width, height)
        stages = [_stage(stage, features, width, height) for stage in root.iterfind("stages/_")]
        if not stages:
            raise ValueError("it has no stages")
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} is not a cascade of upright features with decision stumps: {error}") from None
    return Cascade(tuple(stages), width, height, inset=INSET, contrast=CONTRAST)


def _rectangles(root: ElementTree.Element, width: int, height: int) -> NDArray[np.int16]:
    """(F, 3, 5), see features.py. Raises ValueError for a rectangle that is not inside the window."""
    features = np.zeros((len(root.findall("features/_")), 3, 5), np.int16)
    for feature, node in zip(features, root.iterfind("features/_"), strict=True):
        for row, rectangle in enumerate(node.iterfind("rects/_")):
            x, y, wide, high, _ = numbers = whole(_numbers(rectangle))
            if min(x, y) < 0 or min(wide, high) < 1 or x + wide > width or y + high > height:
                raise ValueError(f"{numbers.tolist()} is not a rectangle in a window of {width} x {height} pixels")
            feature[row] = numbers
    return features


def whole(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers, if they are whole ones; otherwise ValueError."""
    if (numbers != np.rint(numbers)).any():
        raise ValueError(f"{numbers.tolist()} are not whole numbers")
    return numbers


def _stage(node: ElementTree.Element, features: NDArray[np.int16], width: int, height: int) -> Stage:
    nodes, leaves = ([_numbers(one) for one in node.iter(name)] for name in ("internalNodes", "leafValues"))
    if {len(one) for one in nodes} != {4} or {len(one) for one in leaves} != {2}:
        raise ValueError("its weak classifiers are trees with several nodes")
    chosen, thresholds = whole(np.array(nodes)[:, 2]).astype(np.int64), np.array(nodes, np.float32)[:, 3]
    if chosen.min() < 0 or chosen.max() >= len(features):
        raise ValueError(f"it has {len(features)} features, numbered from 0, and its stages use {chosen.min()} to "
                         f"{chosen.max()}")  # fmt: skip
    below, above = np.array(leaves, np.float32).T
    # As OpenCV does it, in 32 bits.
    threshold = np.float32(_number(node, "stageThreshold")) - np.float32(SLACK)
    return Stage(features[chosen], thresholds, below, above, float(threshold), width, height)


def _numbers(node: ElementTree.Element) -> NDArray[np.float64]:
    return _finite(np.array((node.text or "").split(), np.float64))


def _number(node: ElementTree.Element, name: str) -> float:
    return float(_finite(np.array(node.findtext(name, ""), np.float64)))


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers, if none is NaN or infinite; otherwise ValueError."""
    if not np.isfinite(numbers).all():
        raise ValueError(f"{numbers.tolist()} are not finite numbers")
    return numbers
