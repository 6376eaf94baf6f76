"""The architecture of the shipped weights: MobileNetV2 with a feature pyramid and a small box head, sized for a CPU."""

from typing import Any

from torch import Tensor, nn
from torchvision.models import detection as zoo
from torchvision.models import mobilenet_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

CLASSES = 2  # background, face

SLIM = [
    [1, 16, 1, 1],
    [3, 24, 1, 2],
    [4, 24, 1, 1],
    [4, 32, 1, 2],
    [3, 32, 2, 1],
    [3, 64, 4, 2],
    [3, 96, 3, 1],
    [3, 160, 3, 2],
    [3, 320, 1, 1],
]
"""MobileNetV2's blocks: expansion factor, channels, number of blocks, stride of the first. The original expands by 6;
this is about half of that, in multiples of 16 channels, which suit the processor.
"""


class Anchors(AnchorGenerator):
    """torchvision's, with given strides of the pyramid's levels. torchvision guesses them from the size of the padded
    picture, wrongly if that is no multiple of the largest stride."""

    def __init__(self, sizes: Any, ratios: Any, strides: tuple[int, ...]) -> None:
        super().__init__(sizes, ratios)
        self.strides = strides

    def grid_anchors(self, grid_sizes: list[list[int]], strides: list[list[Tensor]]) -> list[Tensor]:
        """Anchors of each level, (places * A, 4)."""
        given = [[guess[0].new_tensor(stride)] * 2 for stride, guess in zip(self.strides, strides, strict=True)]
        return super().grid_anchors(grid_sizes, given)


def mobilenet_v2_fpn(lite: bool = False, slim: bool = False) -> zoo.FasterRCNN:
    """MobileNetV2 (Sandler et al. 2018) with a pyramid of strides 8, 16, 32, 64 and a small box head.

    Sized for a CPU: one class needs fewer channels, proposals and regions than COCO's 91. Anchors have a face's shape
    (about 1.3 times as high as wide), from 12 to 543 pixels in steps of half an octave.
    lite: the 3 x 3 convolutions outside of the backbone are depthwise separable: an eighth of the multiplications.
    slim: half of the expanded channels in the backbone, and a box head whose first layer has rank 64.
    visavis.training.slimming makes such a network from a trained one.
    """
    pyramid = BackboneWithFPN(
        mobilenet_v2(inverted_residual_setting=SLIM if slim else None).features,
        return_layers={"6": "0", "13": "1", "17": "2"},
        in_channels_list=[32, 96, 320],
        out_channels=128,
        extra_blocks=LastLevelMaxPool(),
    )
    model = zoo.FasterRCNN(
        pyramid,
        min_size=(128, 160, 192, 224, 320),  # drawn from in training; `ARCHS` has the size in use
        max_size=1280,
        size_divisible=32,
        rpn_anchor_generator=Anchors(
            ((12, 17, 24), (34, 48, 68), (96, 136, 192), (272, 384, 543)), ((1.3,),) * 4, (8, 16, 32, 64)
        ),
        rpn_pre_nms_top_n_train=1000,
        rpn_pre_nms_top_n_test=1000,
        rpn_post_nms_top_n_train=600,
        rpn_post_nms_top_n_test=600,
        rpn_batch_size_per_image=256,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(128 * 7 * 7, 512),
        box_predictor=FastRCNNPredictor(512, CLASSES),
        box_batch_size_per_image=256,
        box_detections_per_img=600,
    )
    if slim:
        head = model.roi_heads.box_head
        head.fc6 = nn.Sequential(nn.Linear(head.fc6.in_features, 64, bias=False), nn.Linear(64, head.fc6.out_features))
    if lite:
        pyramid.fpn.layer_blocks = nn.ModuleList(_separable(128) for _ in pyramid.fpn.layer_blocks)
        model.rpn.head.conv = nn.Sequential(_separable(128), nn.ReLU())
    return model


def _separable(channels: int) -> nn.Sequential:
    """A depthwise separable 3 x 3 convolution (Howard et al., "MobileNets", 2017, section 3.1). TensorFlow's detectors
    call a pyramid of these FPNLite."""
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.Conv2d(channels, channels, 1))
