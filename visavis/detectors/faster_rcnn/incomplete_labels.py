"""Training on photos in which not every face is labelled.

A region in a target's `ignore` boxes may or may not hold a face. An anchor or proposal there that no
label matches is neither positive nor negative: it is left out of the loss, in the RPN and in the box
head. Those that match a label stay positive: an `ignore` box beside a face says nothing about it.

The classes are torchvision's, each with one method extended; `respect_ignored` puts them into a finished model, since
torchvision's builders do not accept them.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

COVERED = 0.5
"""A box is left out if at least this share of its area lies in one `ignore` box (COCO's rule for crowds)."""

BACKGROUND, LEFT_OUT = 0, -1


def respect_ignored(model: FasterRCNN) -> FasterRCNN:
    """Make `model` respect `target["ignore"]` ((M, 4) boxes, optional) when it computes losses.

    Its `transform` must scale them with the picture, as that of visavis.detectors.faster_rcnn.scaling does.
    """
    model.rpn.__class__ = _RegionProposalNetwork
    model.roi_heads.__class__ = _RoIHeads
    return model


def in_ignored(boxes: Tensor, ignored: Tensor) -> Tensor:
    """(N,) bool: which of boxes (N, 4) have at least `COVERED` of their area in one of `ignored` (M, 4)."""
    if len(boxes) == 0 or len(ignored) == 0:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    sides = torch.min(boxes[:, None, 2:], ignored[None, :, 2:]) - torch.max(boxes[:, None, :2], ignored[None, :, :2])
    shared = sides.clamp(min=0).prod(dim=2)
    own = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1)
    return (shared >= COVERED * own[:, None]).any(dim=1) & (own > 0)


def _leave_out(labels: Tensor, boxes: Tensor, ignored: Tensor | None) -> Tensor:
    """`labels` (N,) in which background in ignored boxes is replaced by a value that the samplers skip."""
    if ignored is None or len(ignored) == 0:
        return labels
    return labels.masked_fill((labels == BACKGROUND) & in_ignored(boxes, ignored), LEFT_OUT)


class _RegionProposalNetwork(RegionProposalNetwork):
    def assign_targets_to_anchors(self, anchors: list[Tensor], targets: list[dict[str, Tensor]]) -> Any:
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        ignored = [target.get("ignore") for target in targets]
        return list(map(_leave_out, labels, anchors, ignored)), matched


class _RoIHeads(RoIHeads):
    def select_training_samples(self, proposals: list[Tensor], targets: Any) -> Any:
        self._ignored = [target.get("ignore") for target in targets]  # the method below does not get the targets
        return super().select_training_samples(proposals, targets)

    def assign_targets_to_proposals(self, proposals: Any, gt_boxes: Any, gt_labels: Any) -> Any:
        matched, labels = super().assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        return matched, list(map(_leave_out, labels, proposals, self._ignored))
