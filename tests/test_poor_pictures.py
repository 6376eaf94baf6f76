"""The augmentations that make a picture poorer: noise, motion, stripes and a newspaper's screen."""

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from dataset.augmentations import Noisy, Screened, Shaken, Striped
from demo import photos
from visavis.images import resize

POORER = (Noisy, Screened, Shaken, Striped)


@pytest.fixture(scope="module")
def portrait() -> torch.Tensor:
    picture = photos.load().portraits["astronaut.png"].picture
    return tv_tensors.Image(torch.from_numpy(picture.copy()).permute(2, 0, 1))


def made(kind: type, picture: torch.Tensor, seed: int) -> np.ndarray:
    torch.manual_seed(seed)
    return kind()(picture).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("kind", POORER)
def test_a_poorer_picture_shows_the_same_and_not_the_same_twice(kind: type, portrait: torch.Tensor):
    whole = portrait.permute(1, 2, 0).numpy()
    for seed in range(4):
        poor = made(kind, portrait, seed)
        assert poor.dtype == np.uint8 and poor.shape == whole.shape
        assert np.abs(poor.astype(int) - whole).mean() > 0.5
        from_afar = [resize(np.ascontiguousarray(one), (16, 16)).astype(float).ravel() for one in (poor, whole)]
        assert np.corrcoef(from_afar)[0, 1] > 0.95
        assert (poor == made(kind, portrait, seed)).all()
        assert (poor != made(kind, portrait, seed + 100)).any()
