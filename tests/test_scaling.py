"""How large pictures go into the network, and that boxes come back to their pixels."""

import numpy as np
import pytest
import torch
from skimage import data

import visavis
from visavis.detectors.faster_rcnn.architectures import build
from visavis.detectors.faster_rcnn.scaling import Scaling
from visavis.detectors.faster_rcnn.sizing import Sizing
from visavis.images import resize


def scaling(**more) -> Scaling:
    made = Scaling(min_size=(64, 96), max_size=200, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("size", "more", "expected"),
    [
        ((50, 60), {}, (96, 115)),  # the last of min_size
        ((50, 60), {"in_use": 120}, (120, 144)),
        ((50, 61), {"in_use": 120, "enlarge": 1.5}, (75, 91)),
        ((50, 60), {"enlarge": 1.0}, (50, 60)),
        ((300, 400), {"enlarge": 1.0}, (96, 128)),  # smaller it is made as before
        ((10, 1000), {}, (2, 200)),  # the longer side is at most max_size
        ((1, 1), {}, (96, 96)),
        ((1, 5000), {}, (1, 200)),
    ],
)
def test_the_size_in_prediction(size, more, expected):
    image, _ = scaling(**more).eval().resize(torch.rand(3, *size))
    assert tuple(image.shape[1:]) == expected


def test_boxes_and_ignored_boxes_go_along_in_training():
    target = {"boxes": torch.tensor([[10.0, 20, 30, 40]]), "ignore": torch.tensor([[50.0, 0, 60, 100]])}
    sizes = set()
    for seed in range(12):
        torch.manual_seed(seed)
        image, moved = scaling(enlarge=0.1).train().resize(torch.rand(3, 100, 120), dict(target))
        sizes.add(image.shape[1])
        down, across = image.shape[1] / 100, image.shape[2] / 120
        expected = [10 * across, 20 * down, 30 * across, 40 * down]
        torch.testing.assert_close(moved["boxes"], torch.tensor([expected]))
        torch.testing.assert_close(moved["ignore"], torch.tensor([[50 * across, 0, 60 * across, 100 * down]]))
    assert sizes == {64, 96}
    assert target["boxes"].tolist() == [[10, 20, 30, 40]]


def test_one_size_in_training_has_a_longer_side_of_four_thirds():
    for size, expected in (((100, 120), (60, 72)), ((100, 200), (40, 80))):
        image, _ = scaling(in_training=60).train().resize(torch.rand(3, *size))
        assert tuple(image.shape[1:]) == expected


def test_what_shrinks_is_a_mean_of_all_it_was():
    stripes = torch.zeros(3, 384, 384)
    stripes[..., ::4] = 1.0
    image, _ = scaling().eval().resize(stripes)
    assert image.shape[1:] == (96, 96)
    torch.testing.assert_close(image[..., 2:-2], torch.full((3, 96, 92), 0.25), atol=0.02, rtol=0)


def test_another_size_is_had_by_small_photos_too_and_has_another_longest():
    other = Sizing(512, 1280, enlarge=1.25, closer=1.6, coarse=160).resized(256)
    assert other == Sizing(256, 640, closer=1.6, coarse=160) and other.size(100, 150) == (256, 384)


def test_every_architecture_scales_so():
    assert isinstance(build("mobilenet_v3_large_320_fpn").transform, Scaling)


def test_a_large_photo_gives_the_faces_of_a_small_one_in_its_own_pixels():
    detector = visavis.load_detector(device="cpu", threshold=0.3, backend="torch")
    small = data.astronaut()
    large = resize(small, (2048, 2048))
    (face,), (huge,) = (detector.detect([picture])[0].boxes[:1] for picture in (small, large))
    np.testing.assert_allclose(huge / 4, face, atol=5)
    plain = torch.tensor(large).permute(2, 0, 1).float() / 255
    with torch.inference_mode():  # torchvision's way in, for which the network scales by itself
        direct = detector.detector.network.model([plain])[0]["boxes"][:1].numpy()[0]
    np.testing.assert_allclose(direct / 4, face, atol=5)
