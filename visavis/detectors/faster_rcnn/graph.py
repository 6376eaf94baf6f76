"""A Faster R-CNN as one graph of tensors that other libraries can run: torchvision's first stage for one picture, and
the second of second_stage.py.

torchvision's code has branches and lists in Python, of which an export records one path only: it fails on a picture
without a candidate. Here there are always as many candidates as there can be at most, and proposals in steps; the
padding rows among them have a score of -1, so that they lose every comparison, and each level of the pyramid pools one
padding region.
"""

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import nms, roi_align

from visavis.detectors.faster_rcnn.second_stage import SMALLEST, UNLIKELY, odds, voted

NONE = -1.0
"""The score of a padding row."""
SMALLEST_PROPOSAL = 1e-3
"""Sides, in pixels, below which torchvision drops a proposal."""
LIKELY = 0.1
"""Proposals of less objectness are dropped: they would hardly become detections (docs/backends.md)."""
STEP = 8
"""The number of proposals is a multiple of this, since a runtime prepares itself again for each number."""


class Graph(nn.Module):
    """The network of `model`, whose weights it shares: from a normalised, padded picture to all detections."""

    def __init__(self, model: FasterRCNN) -> None:
        super().__init__()
        self.backbone, self.head, self.coder = model.backbone, model.rpn.head, model.rpn.box_coder
        self.candidates = model.rpn._pre_nms_top_n["testing"]  # torchvision has no public name for it
        self.proposals = model.rpn._post_nms_top_n["testing"]
        self.proposal_overlap, self.find_overlap = model.rpn.nms_thresh, model.roi_heads.nms_thresh
        self.pool, self.box_head = model.roi_heads.box_roi_pool, model.roi_heads.box_head
        self.predictor, self.find_coder = model.roi_heads.box_predictor, model.roi_heads.box_coder
        cells = model.rpn.anchor_generator.cell_anchors
        self.kinds = len(cells[0])  # anchors at each place, the same number in each level
        self.cells = nn.Parameter(torch.cat(cells), requires_grad=False)
        self.levels = nn.Parameter(torch.arange(len(cells)).float(), requires_grad=False)
        self.strides = [(stride, stride) for stride in getattr(model.rpn.anchor_generator, "strides", ())]

    def forward(self, picture: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """picture: (1, 3, H, W) float, normalised, padded with 0. size: (2,) float, height and width without padding.

        Returns boxes (N, 4), pixels of `picture`, and scores (N,), highest score first; last those that are none
        (`NONE`).
        """
        features = self.backbone(picture)
        proposals, scores = self._proposals(picture, list(features.values()), size)
        return self._finds(features, proposals, scores, size)

    def _proposals(self, picture: Tensor, features: list[Tensor], size: Tensor) -> tuple[Tensor, Tensor]:
        """(P, 4) and their scores (P,): all that are likely enough, and padding up to a multiple of `STEP`."""
        logits, codes, numbers = [], [], []
        filler = size.new_full((self.candidates,), -torch.inf)
        for objectness, offsets in zip(*self.head(features), strict=True):
            best, index = torch.cat([objectness[0].permute(1, 2, 0).reshape(-1), filler]).topk(self.candidates)
            offsets = offsets[0].unflatten(0, (-1, 4)).permute(2, 3, 0, 1).reshape(-1, 4)
            index = index.clamp(max=offsets.shape[0] - 1)
            logits.append(best)
            codes.append(offsets[index])
            numbers.append(index)
        anchors = self._anchors(torch.stack(numbers), picture, [one.shape[-2:] for one in features])
        box = _clipped(self.coder.decode_single(torch.cat(codes), anchors), size)
        score = torch.cat(logits).sigmoid()  # 0 for padding rows
        score = torch.where(_at_least(box, SMALLEST_PROPOSAL) & (score >= LIKELY), score, NONE)
        # Levels must not suppress each other: each is moved to a place of its own.
        apart = (self.levels.repeat_interleave(self.candidates) * (size.max() + 1))[:, None]
        kept = nms(box + apart, score, self.proposal_overlap)
        box, score = torch.cat([box, box.new_zeros(1, 4)]), torch.cat([score, score.new_full((1,), NONE)])
        kept = torch.cat([kept, torch.full((self.proposals,), len(score) - 1)])[: self.proposals]
        likely = (score[kept] > NONE).sum()
        kept = kept[_in_steps(likely, self.proposals)]
        return box[kept], score[kept]

    def _finds(
        self, features: dict[str, Tensor], proposals: Tensor, scores: Tensor, size: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As second_stage.finds."""
        logits, codes, here = self._judged(features, proposals)
        before, scores = odds(logits), _padded(scores)[here]
        rows = nn.functional.pad(proposals, (0, 0, 1, 0))[here]
        boxes = _clipped(self.find_coder.decode_single(codes[:, 4:8], rows), size)
        likely = (scores > NONE) & _at_least(boxes, SMALLEST) & (before.sigmoid() >= UNLIKELY)
        scores = torch.where(likely, before.sigmoid(), NONE)
        kept = torch.cat([nms(boxes, scores, self.find_overlap), torch.zeros(self.proposals, dtype=torch.long)])
        kept = kept[: self.proposals][_in_steps((scores[kept] > NONE).sum(), self.proposals)]
        agreed, before, scores = voted(boxes[kept], boxes, scores), before[kept], scores[kept]
        logits, _, here = self._judged(features, agreed)
        boxes = nn.functional.pad(agreed, (0, 0, 1, 0))[here]
        second = ((_padded(before)[here] + odds(logits)) / 2).sigmoid()
        scores = torch.where(_padded(scores)[here] > NONE, second, NONE)
        kept = nms(boxes, scores, self.find_overlap)
        return boxes[kept], scores[kept]

    def _judged(self, features: dict[str, Tensor], boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The box head's logits (R, 2) and codes (R, 8), and the number (R,) of the box of each row, from 1 on: 0 is
        that of a padding row, of which each level has one, so that none is empty, and the first row is one."""
        levels = self.pool.map_levels([boxes])
        rows = nn.functional.pad(boxes, (1, 0, 1, 0))  # the picture's number, 0, and the padding row
        pooled, order = [], []
        names = [name for name in self.pool.featmap_names if name in features]
        for level, (name, scale) in enumerate(zip(names, self.pool.scales, strict=True)):
            here = nn.functional.pad(torch.where(levels == level)[0] + 1, (1, 0))
            pooled.append(roi_align(features[name], rows[here], self.pool.output_size, scale, self.pool.sampling_ratio))
            order.append(here)
        logits, codes = self.predictor(self.box_head(torch.cat(pooled)))
        return logits, codes, torch.cat(order)

    def _anchors(self, index: Tensor, picture: Tensor, shapes: list[torch.Size]) -> Tensor:
        """(levels * N, 4): the anchors with the numbers `index`, (levels, N), counted in each level by row, column,
        kind."""
        # Without given strides, torchvision's guess.
        steps = self.strides or [(picture.shape[-2] // high, picture.shape[-1] // wide) for high, wide in shapes]
        down, across, wide = (
            torch.cat([picture.new_full((1,), one) for one in each])[:, None]
            for each in ([step[0] for step in steps], [step[1] for step in steps], [shape[1] for shape in shapes])
        )
        number = index.float()  # exact for integers up to 16 million
        place = ((number + 0.5) / self.kinds).floor()
        kind = number - place * self.kinds
        row = ((place + 0.5) / wide).floor()
        corner = torch.stack([(place - row * wide) * across, row * down], dim=-1)
        cells = self.cells[(kind + self.levels[:, None] * self.kinds).long()]
        return (cells + corner.repeat(1, 1, 2)).flatten(end_dim=1)


def _clipped(boxes: Tensor, size: Tensor) -> Tensor:
    """(N, 4) boxes cut to `size`, (height, width)."""
    return torch.minimum(boxes.clamp(min=0), torch.stack([size[1], size[0], size[1], size[0]]))


def _padded(values: Tensor) -> Tensor:
    """(N + 1,): `NONE`, and the values (N,)."""
    return nn.functional.pad(values, (1, 0), value=NONE)


def _in_steps(count: Tensor, most: int) -> Tensor:
    """The numbers from 0 on, `count` of them or a few more: a multiple of `STEP`, but at most `most`."""
    return torch.where(torch.arange(most) < (count + STEP - 1) // STEP * STEP)[0]


def _at_least(boxes: Tensor, side: float) -> Tensor:
    """(N,) bool: whether both sides have at least so many pixels."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= side).all(dim=1)
