"""A network's random choices in training come from each picture's own seed."""

import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign

from visavis.training.draws import from_seeds

MANY = torch.tensor([1.0] * 300 + [0.0] * 1700)
"""Regions of a picture by what they match: 1 a face, 0 background, -1 neither."""
FEW = torch.tensor([1.0] * 10 + [-1.0] * 10 + [0.0] * 70)


@pytest.fixture
def model() -> FasterRCNN:
    backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 16))
    backbone.out_channels = 8
    anchors, pool = AnchorGenerator(((32,),), ((1.0,),)), MultiScaleRoIAlign(["0"], 7, 2)
    return FasterRCNN(backbone, 2, rpn_anchor_generator=anchors, box_roi_pool=pool)


def test_sizes_are_drawn_by_each_pictures_seed(model: FasterRCNN):
    draws = from_seeds(model)
    draws.begin([7, 8, 9])
    assert [model.transform.torch_choice([320, 448, 512, 640, 800]) for _ in range(3)] == [320, 640, 320]
    draws.begin([8])
    assert model.transform.torch_choice([320, 448, 512, 640, 800]) == 640


def test_regions_are_sampled_by_each_pictures_seed_as_many_as_torchvision_would(model: FasterRCNN):
    draws = from_seeds(model)
    draws.begin([7, 8])
    proposed = model.rpn.fg_bg_sampler([MANY, FEW])
    classified = model.roi_heads.fg_bg_sampler([MANY, FEW])
    assert [[int(mask.sum()) for mask in masks] for masks in proposed] == [[128, 10], [128, 70]]
    assert [[int(mask.sum()) for mask in masks] for masks in classified] == [[128, 10], [384, 70]]
    assert {name: int(count) for name, count in draws.regions.items()} == {"rpn": 336, "roi": 592}
    assert [masks[0][0].nonzero().ravel()[:4].tolist() for masks in (proposed, classified)] == [
        [0, 5, 9, 10],
        [1, 3, 5, 8],
    ]


def test_what_is_sampled_of_a_picture_does_not_depend_on_its_batch(model: FasterRCNN):
    draws = from_seeds(model)
    draws.begin([7, 8])
    together = model.rpn.fg_bg_sampler([FEW, MANY])
    draws.begin([8])
    alone = model.rpn.fg_bg_sampler([MANY])
    assert torch.equal(together[0][1], alone[0][0]) and torch.equal(together[1][1], alone[1][0])
    assert int(draws.regions["rpn"]) == 256
    draws.begin([8])
    assert draws.regions == {}
    with pytest.raises(ValueError, match="zip"):  # a seed for each picture
        model.rpn.fg_bg_sampler([MANY, FEW])
