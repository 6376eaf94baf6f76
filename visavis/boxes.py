"""Box arithmetic in numpy. A box is x1 y1 x2 y2 in pixels, right and bottom edge exclusive.

Every function takes any number of boxes, none included. Nothing here knows what a box holds.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float32]  # (N, 4) float32, x1 y1 x2 y2, pixels
SIDES = ("x1", "y1", "x2", "y2")
"""Their names in tables and records."""


def as_boxes(values: ArrayLike) -> Boxes:
    """Return `values` as an (N, 4) float32 array; an empty sequence becomes (0, 4).

    Raises ValueError for any other shape.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.size == 0:
        return np.zeros((0, 4), dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes must have the shape (N, 4), not {array.shape}")
    return array


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Area of each box, (N,) square pixels; an empty or upside-down box has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0))
    return sides[:, 0] * sides[:, 1]


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Cut (N, 4) boxes to a picture of `size` (height, width)."""
    height, width = size
    return np.minimum(np.maximum(boxes, np.float32(0)), np.array([width, height, width, height], np.float32))


def scale(boxes: Boxes, factor: float | tuple[float, float]) -> Boxes:
    """Multiply (N, 4) boxes by one factor, or by a pair (vertical, horizontal)."""
    down, across = factor if isinstance(factor, tuple) else (factor, factor)
    return boxes * np.array([across, down, across, down], dtype=np.float32)


def grow(boxes: Boxes, share: float) -> Boxes:
    """Push each side of (N, 4) boxes outwards by `share` of the box's width or height."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * np.float32(share)
    return as_boxes(np.hstack([boxes[:, :2] - margin, boxes[:, 2:] + margin]))


def quarter_turned(boxes: Boxes, size: tuple[int, int], turns: int) -> Boxes:
    """Boxes in a picture of `size` (height, width) after that many anticlockwise quarter turns, as np.rot90's."""
    height, width = size
    for _ in range(turns):
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([y1, width - x2, y2, width - x1], axis=1)
        height, width = width, height
    return boxes


def intersection(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Shared area of every pair, (N, M) square pixels, for boxes (N, 4) and (M, 4)."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    return sides[..., 0] * sides[..., 1]


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Intersection over union of every pair, (N, M) in 0..1, for boxes (N, 4) and (M, 4)."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def covered(boxes: Boxes, by: Boxes) -> NDArray[np.float32]:
    """Share of each box's own area that lies in each box of `by`, (N, M) in 0..1.

    COCO's rule for crowd regions: a small find inside a large ignored region counts as covered.
    """
    shared = intersection(boxes, by)
    own = np.broadcast_to(area(boxes)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def match(scores: NDArray[np.float32], overlaps: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Give each find at most one truth, the surest find first (COCO's rule).

    scores: (N,), overlaps: (N, M) such as `iou(found, truth)`. Returns (N,) the index of the truth
    that each find takes, the best one still free with at least `threshold` overlap, or -1.
    """
    taken = np.zeros(overlaps.shape[1], dtype=bool)
    matches = np.full(overlaps.shape[0], -1, dtype=np.int64)
    near = np.asarray((overlaps >= threshold).any(axis=1))
    for find in (find for find in np.argsort(-scores, kind="stable") if near[find]):
        free = np.where(taken, -1.0, overlaps[find])
        if free.max() >= threshold:
            matches[find] = free.argmax()
            taken[matches[find]] = True
    return matches


def nms(boxes: Boxes, scores: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression: indices to keep, the highest score first.

    A box is dropped where its IoU with a surer, kept one is above `threshold`.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[iou(boxes[best : best + 1], boxes[order])[0] <= threshold]
    return np.array(kept, dtype=np.int64)
