"""What becomes of a picture's proposals: each is judged, overlapping boxes agree on one, and that is judged again.

torchvision judges once, and of overlapping boxes keeps the one with the highest score as it is. But neighbours err in
different directions, and their mean less than the best of them (box voting), and a face is judged more surely in a box
that fits (iterative localization): Gidaris and Komodakis, "Object detection via a multi-region & semantic
segmentation-aware CNN model" (2015), section 5. What that gives, and what it costs, is in docs/experiments.md. graph.py
has the same for other libraries.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.ops import box_iou, clip_boxes_to_image, nms

UNLIKELY = 0.01
"""What has a lower score at first is dropped: it is not judged again, and has no vote. Nobody asks for lower scores:
evaluate.py goes down to this one."""
AGREE = 0.55, 0.65
"""A box has no vote in those that it overlaps less (IoU), and all of its vote in those that it overlaps more. Between
the two the vote grows steadily, so that what differs in the last bit, as between back ends, makes no difference."""
SMALLEST = 1e-2
"""Sides, in pixels, below which a box is none, as in torchvision."""


def voted(kept: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
    """(K, 4): for each of `kept` (K, 4), the mean of those of `boxes` (N, 4) that overlap it (`AGREE`), weighted by
    their `scores` (N,)."""
    least, most = AGREE
    # Where the score is that of a row which only fills its place, so may the box be, and its IoU is no number.
    overlaps = torch.where(scores > 0, box_iou(kept, boxes), 0.0)
    votes = ((overlaps - least) / (most - least)).clamp(0, 1) * scores
    # No product of matrices: OpenVINO's have 8 bits for a coordinate with `--precision bf16`.
    agreed = (votes[:, :, None] * boxes).sum(dim=1)
    return agreed / votes.sum(dim=1, keepdim=True).clamp(min=1e-6)


def odds(logits: Tensor) -> Tensor:
    """(N,) log odds of a face, of (N, 2) logits of background and face."""
    return logits[:, 1] - logits[:, 0]


def finds(
    heads: Any, features: dict[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
) -> list[dict[str, Tensor]]:
    """`boxes` (N, 4) and `scores` (N,) of each picture, highest score first.

    heads: torchvision's RoIHeads; features: of all pictures, as the pyramid gives them; proposals: (P, 4) of each
    picture; sizes: height and width of each.
    """
    logits, codes = _judged(heads, features, proposals, sizes)
    corrected = heads.box_coder.decode_single(codes[:, 4:8], torch.cat(proposals))
    counts = [len(one) for one in proposals]
    first = zip(corrected.split(counts), odds(logits).split(counts), sizes, strict=True)
    agreed, before = zip(*(_agreed(heads, *each) for each in first), strict=True)
    logits, _ = _judged(heads, features, list(agreed), sizes)
    second = odds(logits).split([len(one) for one in agreed])
    found = []
    for boxes, one, other in zip(agreed, before, second, strict=True):
        scores = ((one + other) / 2).sigmoid()
        kept = nms(boxes, scores, heads.nms_thresh)[: heads.detections_per_img]
        found.append({"boxes": boxes[kept], "scores": scores[kept]})
    return found


def _judged(
    heads: Any, features: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """The box head's logits (N, 2) and codes (N, 8) of the boxes of all pictures."""
    return heads.box_predictor(heads.box_head(heads.box_roi_pool(features, boxes, sizes)))


def _agreed(heads: Any, boxes: Tensor, before: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The boxes on which those of a picture agree, (K, 4), and the log odds that they have so far, (K,)."""
    boxes, scores = clip_boxes_to_image(boxes, size), before.sigmoid()
    some = (scores >= UNLIKELY) & (boxes[:, 2:] - boxes[:, :2] >= SMALLEST).all(dim=1)
    boxes, before, scores = boxes[some], before[some], scores[some]
    kept = nms(boxes, scores, heads.nms_thresh)
    return voted(boxes[kept], boxes, scores), before[kept]
