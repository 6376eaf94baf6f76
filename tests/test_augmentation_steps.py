"""Each step of the preset `full` comes now and then: seen in what becomes of one picture, by fixed seeds."""

import numpy as np
import torch
from torchvision import tv_tensors

from dataset.transforms import preset

HEIGHT, WIDTH = 40, 60


def augmented(pixels: np.ndarray, count: int) -> list[np.ndarray]:
    """(height, width, 3) of a picture without a face after `full`, for the seeds 0 to count - 1."""
    steps, seen = preset("full"), []
    boxes = tv_tensors.BoundingBoxes(torch.zeros(0, 4), format="XYXY", canvas_size=pixels.shape[:2])
    for seed in range(count):
        torch.manual_seed(seed)
        image = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
        target = {"boxes": boxes, "ignore": boxes, "labels": torch.zeros(0, dtype=torch.int64)}
        seen.append(steps(image, target)[0].permute(1, 2, 0).numpy())
    return seen


def test_pictures_are_zoomed_out_onto_grey():
    seen = augmented(np.full((HEIGHT, WIDTH, 3), 250, np.uint8), 150)
    larger = [one for one in seen if one.shape[0] > HEIGHT or one.shape[1] > WIDTH]
    assert 20 <= len(larger) <= 70  # three in ten
    corners = [one[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int) for one in larger]
    assert np.median([(abs(four - 118) < 60).any() for four in corners]) == 1
    assert max(one.shape[0] for one in seen) <= 2.5 * HEIGHT


def test_contrast_is_stretched_and_histograms_are_equalised_now_and_then():
    ramp = 100 + 20 * np.linspace(0, 1, WIDTH) ** 2  # half of the pixels lie in the lowest quarter of its values
    picture = np.repeat(ramp.astype(np.uint8)[None, :, None], HEIGHT, axis=0).repeat(3, axis=2)
    spread = [one.astype(float) for one in augmented(picture, 300) if one.min() <= 3 and one.max() >= 252]
    middles = np.array([np.median(one) for one in spread])
    linear, equal = ((middles > 45) & (middles < 80)).sum(), ((middles > 108) & (middles < 150)).sum()
    assert 5 <= linear <= 45 and 3 <= equal <= 30, (linear, equal, middles)
