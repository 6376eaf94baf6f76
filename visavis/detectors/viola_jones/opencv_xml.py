"""Cascades in OpenCV's XML format, such as haarcascade_frontalface_default.xml, as OpenCV uses them.

A weak classifier is a decision tree: nodes that compare a feature with a threshold, and leaves that vote. The older
format ("opencv-haar-classifier") writes a feature in each node, and OpenCV converts it when it reads it. That is done
here, too. A tree of stages (`parent` and `next` there) becomes a plain row of stages in OpenCV, and so it does here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
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


class Tree(NamedTuple):
    """nodes: (N, 4), for each node the branches below its threshold and otherwise, its feature, and its threshold. A
    positive branch is the number of another node, and any other is minus the number of a leaf. leaves: (N + 1,)."""

    nodes: NDArray[np.float64]
    leaves: NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """rectangles: (F, 3, 5), see features.py. tilted: (F,). width, height: of the window."""

    rectangles: NDArray[np.int16]
    tilted: NDArray[np.bool_]
    width: int
    height: int


def read(path: Path) -> Cascade:
    """Raises InputError for what is not a cascade of Haar-like features."""
    try:
        document = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: of its encoding
        raise InputError(f"{path} is not a cascade of OpenCV: {error}") from None
    root, older = document.find("cascade"), document.find("*[@type_id='opencv-haar-classifier']")
    try:
        if root is not None and root.findtext("featureType") == "HAAR":
            return _newer(root)
        if older is not None:
            return _older(older)
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} is not a cascade that viola_jones can use: {error}") from None
    raise InputError(f"{path} is not a cascade of OpenCV with Haar-like features")


def _newer(root: ElementTree.Element) -> Cascade:
    features = _features(root.findall("features/_"), int(root.findtext("width", "")), int(root.findtext("height", "")))
    return _cascade(
        features,
        [
            _stage(
                [_newer_tree(tree) for tree in stage.iterfind("weakClassifiers/_")], stage, "stageThreshold", features
            )
            for stage in root.iterfind("stages/_")
        ],
    )


def _newer_tree(tree: ElementTree.Element) -> Tree:
    nodes, leaves = (_numbers(tree.findtext(name, "")) for name in ("internalNodes", "leafValues"))
    return Tree(nodes.reshape(-1, 4), leaves)


def _older(root: ElementTree.Element) -> Cascade:
    size = root.findtext("size", "").split()
    if len(size) != 2:
        raise ValueError(f"its size is not two numbers but {size}")
    features = _features(list(root.iter("feature")), int(size[0]), int(size[1]))
    numbers = iter(range(len(features.tilted)))
    return _cascade(
        features,
        [
            _stage(
                [_older_tree(tree, numbers) for tree in stage.iterfind("trees/_")], stage, "stage_threshold", features
            )
            for stage in root.iterfind("stages/_")
        ],
    )


def _older_tree(tree: ElementTree.Element, features: Iterator[int]) -> Tree:
    """features: the numbers of features that follow in the file; each node takes the next one."""
    nodes: list[list[float]] = []
    leaves: list[float] = []
    for node in tree.iterfind("_"):
        branches: list[float] = []
        for side in ("left", "right"):
            if node.find(f"{side}_val") is None:
                branches.append(_number(node, f"{side}_node"))
            else:
                branches.append(-len(leaves))
                leaves.append(_number(node, f"{side}_val"))
        nodes.append([*branches, next(features, -1), _number(node, "threshold")])
    return Tree(np.array(nodes).reshape(-1, 4), np.array(leaves))


def _features(nodes: list[ElementTree.Element], width: int, height: int) -> Features:
    """Raises ValueError for a rectangle that is not inside the window."""
    if min(width, height) <= 2 * INSET:
        raise ValueError(f"its window has {width} x {height} pixels")
    rectangles, tilted = np.zeros((len(nodes), 3, 5), np.int16), np.zeros(len(nodes), np.bool_)
    for number, node in enumerate(nodes):
        tilted[number] = (node.findtext("tilted") or "0").strip() != "0"
        if len(node.findall("rects/_")) > rectangles.shape[1]:
            raise ValueError(f"feature {number} has more than three rectangles")
        for row, rectangle in enumerate(node.iterfind("rects/_")):
            numbers = whole(_numbers(rectangle.text or ""))
            if len(numbers) != 5:
                raise ValueError(f"a rectangle has {len(numbers)} numbers, not 5")
            x, y, wide, high, _ = numbers
            left, right, bottom = (x - high, x + wide, y + wide + high) if tilted[number] else (x, x + wide, y + high)
            if min(left, y) < 0 or min(wide, high) < 1 or right > width or bottom > height:
                kind = "tilted rectangle" if tilted[number] else "rectangle"
                raise ValueError(f"{numbers.tolist()} is not a {kind} in a window of {width} x {height} pixels")
            rectangles[number, row] = numbers
    return Features(rectangles, tilted, width, height)


def _stage(trees: list[Tree], node: ElementTree.Element, threshold: str, features: Features) -> Stage:
    """The stage of the trees; `threshold` is what `node` calls its own."""
    if not trees:
        raise ValueError("a stage has no weak classifiers")
    nodes = np.concatenate([tree.nodes for tree in trees])
    chosen, known = whole(nodes[:, 2]).astype(np.int64), len(features.tilted)
    if chosen.min() < 0 or chosen.max() >= known:
        raise ValueError(f"it has {known} features, numbered from 0, and its stages use {chosen.min()} to "
                         f"{chosen.max()}")  # fmt: skip
    first = np.cumsum([0, *(len(tree.nodes) for tree in trees)])
    votes, parents = zip(*(_branches(tree, start) for tree, start in zip(trees, first, strict=False)), strict=True)
    below, above = np.concatenate(votes).T
    tilted = features.tilted[chosen]
    return Stage(
        features.rectangles[chosen],
        nodes[:, 3].astype(np.float32),
        below,
        above,
        float(np.float32(_number(node, threshold)) - np.float32(SLACK)),  # as OpenCV does it, in 32 bits
        features.width,
        features.height,
        tilted if tilted.any() else None,
        np.concatenate(parents) if len(nodes) > len(trees) else None,
    )


def _branches(tree: Tree, first: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, 2) the votes of each node on either side of its threshold, and (N, 2) its parent, see cascade.Stage. first:
    the number in the stage of the tree's first node."""
    branches = whole(tree.nodes[:, :2]).astype(np.int64)
    votes, parents = np.zeros(branches.shape, np.float32), np.full(branches.shape, -1)
    own, _ = np.nonzero(branches > 0)
    to_nodes, to_leaves = branches[branches > 0], -branches[branches <= 0]
    whole_tree = sorted(to_nodes) == list(range(1, len(branches))) and (to_nodes > own).all()
    if not whole_tree or sorted(to_leaves) != list(range(len(tree.leaves))):
        raise ValueError(
            f"branches {branches.tolist()} of a weak classifier with {len(tree.leaves)} leaves are not those of a tree"
        )
    votes[branches <= 0] = tree.leaves[to_leaves]
    parents[to_nodes] = np.argwhere(branches > 0) + [first, 0]
    return votes, parents


def _cascade(features: Features, stages: list[Stage]) -> Cascade:
    if not stages:
        raise ValueError("it has no stages")
    return Cascade(tuple(stages), features.width, features.height, inset=INSET, contrast=CONTRAST)


def whole(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers, if they are whole ones; otherwise ValueError."""
    if (numbers != np.rint(numbers)).any():
        raise ValueError(f"{numbers.tolist()} are not whole numbers")
    return numbers


def _numbers(text: str) -> NDArray[np.float64]:
    """The numbers of a text, if none is NaN or infinite; otherwise ValueError."""
    numbers = np.array(text.split(), np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{numbers.tolist()} are not finite numbers")
    return numbers


def _number(node: ElementTree.Element, name: str) -> float:
    numbers = _numbers(node.findtext(name, ""))
    if len(numbers) != 1:
        raise ValueError(f"{name} is not one number but {numbers.tolist()}")
    return float(numbers[0])
