"""A Faster R-CNN as one graph of tensors that other programs can run: what torchvision's does for one picture.

torchvision's own code chooses with Python's `if` and lists what an export can write down only as it happened to go
once: exported, it fails where a picture gives no candidate. Here every step has rows to work on. There are always as
many candidates and proposals as there can be at most; those that are none have a score of -1, so that they lose every
comparison, and each level of the pyramid pools one region more than it is asked for. Only what comes out at the end
may be empty.
"""

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import nms, roi_align

NONE = -1.0
"""The score of a row that only fills its place."""
SMALLEST_PROPOSAL, SMALLEST_FIND = 1e-3, 1e-2
"""Sides, in pixels, below which torchvision drops a box before and after the box head."""
LIKELY = 0.01
"""The objectness below which a proposal is not looked at again: it would hardly become a find (docs/backends.md)."""
STEP = 16
"""Proposals are looked at in whole numbers of so many: a runtime prepares itself anew for each number."""


class Graph(nn.Module):
    """The network of `model`, which it shares, from a normalised, padded picture to all finds down to a score of 0."""

    def __init__(self, model: FasterRCNN) -> None:
        super().__init__()
        self.backbone, self.head, self.coder = model.backbone, model.rpn.head, model.rpn.box_coder
        self.candidates = model.rpn._pre_nms_top_n["testing"]  # torchvision tells it nowhere else
        self.proposals = model.rpn._post_nms_top_n["testing"]
        self.proposal_overlap, self.find_overlap = model.rpn.nms_thresh, model.roi_heads.nms_thresh
        self.pool, self.box_head = model.roi_heads.box_roi_pool, model.roi_heads.box_head
        self.predictor, self.find_coder = model.roi_heads.box_predictor, model.roi_heads.box_coder
        self.cells = nn.ParameterList(
            nn.Parameter(cell, requires_grad=False) for cell in model.rpn.anchor_generator.cell_anchors
        )

    def forward(self, picture: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """picture: (1, 3, H, W) float, normalised, padded with 0. size: (2,) float, height and width without padding.

        Returns boxes (N, 4), pixels of `picture`, and scores (N,), surest first; last those that are none (`NONE`).
        """
        features = self.backbone(picture)
        proposals, scores = self._proposals(picture, list(features.values()), size)
        return self._finds(features, proposals, scores, size)

    def _proposals(self, picture: Tensor, features: list[Tensor], size: Tensor) -> tuple[Tensor, Tensor]:
        """(P, 4) and their scores (P,), P being as many as are likely enough, and some more up to a whole `STEP`."""
        boxes, scores, levels = [], [], []
        for level, (logits, codes) in enumerate(zip(*self.head(features), strict=True)):
            cell = self.cells[level]
            anchors = self._anchors(cell, logits, picture)
            codes = codes[0].unflatten(0, (len(cell), 4)).permute(2, 3, 0, 1).reshape(-1, 4)
            logits = logits[0].permute(1, 2, 0).reshape(-1)
            filled = torch.cat([logits, logits.new_full((self.candidates,), -torch.inf)])
            best, index = filled.topk(self.candidates)
            index = torch.where(best == -torch.inf, 0, index)
            boxes.append(self.coder.decode_single(codes[index], anchors[index]))
            scores.append(torch.where(best == -torch.inf, NONE, best.sigmoid()))
            levels.append(best.new_full((self.candidates,), level))
        box = _clipped(torch.cat(boxes), size)
        score = torch.cat(scores)
        score = torch.where(_at_least(box, SMALLEST_PROPOSAL) & (score >= LIKELY), score, NONE)
        # Levels do not suppress each other: each is moved to a place of its own.
        apart = (torch.cat(levels) * (size.max() + 1))[:, None]
        kept = nms(box + apart, score, self.proposal_overlap)
        box, score = torch.cat([box, box.new_zeros(1, 4)]), torch.cat([score, score.new_full((1,), NONE)])
        kept = torch.cat([kept, torch.full((self.proposals,), len(score) - 1)])[: self.proposals]
        likely = (score[kept] > NONE).sum()
        wanted = torch.where(torch.arange(self.proposals) < (likely + STEP - 1) // STEP * STEP)[0]
        return box[kept[wanted]], score[kept[wanted]]

    def _finds(
        self, features: dict[str, Tensor], proposals: Tensor, scores: Tensor, size: Tensor
    ) -> tuple[Tensor, Tensor]:
        levels = self.pool.map_levels([proposals])
        filler = proposals.new_zeros(1, 4)
        pooled, regions, real = [], [], []
        names = [name for name in self.pool.featmap_names if name in features]
        for level, (name, scale) in enumerate(zip(names, self.pool.scales, strict=True)):
            here = torch.where(levels == level)[0]
            boxes = torch.cat([filler, proposals[here]])
            rows = nn.functional.pad(boxes, (1, 0))  # the picture's number, 0, comes first
            pooled.append(roi_align(features[name], rows, self.pool.output_size, scale, self.pool.sampling_ratio))
            regions.append(boxes)
            real.append(torch.cat([scores.new_full((1,), NONE), scores[here]]) > NONE)
        logits, codes = self.predictor(self.box_head(torch.cat(pooled)))
        box = _clipped(self.find_coder.decode_single(codes[:, 4:8], torch.cat(regions)), size)
        score = torch.where(torch.cat(real) & _at_least(box, SMALLEST_FIND), logits.softmax(dim=1)[:, 1], NONE)
        kept = nms(box, score, self.find_overlap)
        return box[kept], score[kept]

    @staticmethod
    def _anchors(cell: Tensor, logits: Tensor, picture: Tensor) -> Tensor:
        """(h * w * A, 4): those of one place (A, 4) at each place of a level, row by row."""
        high, wide = logits.shape[-2:]
        down = torch.arange(high) * (picture.shape[-2] // high)
        across = torch.arange(wide) * (picture.shape[-1] // wide)
        y, x = torch.meshgrid(down, across, indexing="ij")
        corners = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4)
        return (corners + cell).reshape(-1, 4)


def _clipped(boxes: Tensor, size: Tensor) -> Tensor:
    """(N, 4) boxes cut to `size`, (height, width)."""
    return torch.minimum(boxes.clamp(min=0), torch.stack([size[1], size[0], size[1], size[0]]))


def _at_least(boxes: Tensor, side: float) -> Tensor:
    """(N,) bool: neither side is shorter, pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= side).all(dim=1)
