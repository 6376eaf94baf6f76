"""Photos as they come from phones at night, from newspapers, old videos and photographed screens, made of good ones.

Made otherwise than the augmentations of training (dataset/augmentations.py) are, and always the same.
"""

from collections.abc import Callable

import numpy as np

from visavis.images import Picture, decode, encode


def grey_and_noisy(picture: Picture) -> Picture:
    """A deviation of 18 of 255, as of a grey scan or a night's photo."""
    height, width = picture.shape[:2]
    return _pixels(picture.mean(axis=2, keepdims=True) + np.random.default_rng(0).normal(0, 18, (height, width, 1)))


def night(picture: Picture) -> Picture:
    """A quarter of the light, with the noise of that, brightened threefold."""
    return _pixels((picture * 0.25 + np.random.default_rng(0).normal(0, 8, picture.shape)) * 3)


def newspaper(picture: Picture) -> Picture:
    """Grey, with a Bayer matrix of 4 x 4 for a screen, half blurred."""
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16
    height, width = picture.shape[:2]
    screen = np.tile(bayer, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    return _pixels(picture.mean(axis=2, keepdims=True) * 0.6 + screen * 0.4)


def old_print(picture: Picture) -> Picture:
    """Brown, pale and grained, with twelve scratches from top to bottom."""
    dice = np.random.default_rng(0)
    height, width = picture.shape[:2]
    pale = picture.mean(axis=2, keepdims=True) * np.array([1.05, 0.9, 0.7]) * 0.7 + 50
    pale[:, dice.integers(0, width, 12)] = 240
    return _pixels(pale + dice.normal(0, 8, (height, width, 1)))


def shaken(picture: Picture) -> Picture:
    """Blurred along 15 pixels, 20 degrees below the horizontal."""
    steps = np.linspace(-7.5, 7.5, 15)[:, None] * (np.sin(np.pi / 9), np.cos(np.pi / 9))
    return _pixels(
        np.mean([np.roll(picture.astype(float), step, (0, 1)) for step in steps.round().astype(int)], axis=0)
    )


def interlaced(picture: Picture) -> Picture:
    """Every other line 8 pixels further on."""
    fields = picture.copy()
    fields[1::2] = np.roll(fields[1::2], 8, axis=1)
    return fields


def screen(picture: Picture) -> Picture:
    """Stripes three pixels apart, of half the light, as in a photo of a screen."""
    y, x = np.indices(picture.shape[:2])
    return _pixels(picture * (0.75 + 0.25 * np.sin((x + 0.15 * y) * 2.2))[..., None])


def compressed(picture: Picture) -> Picture:
    """JPEG of quality 5."""
    return decode(encode(picture, quality=5))


POOR: dict[str, Callable[[Picture], Picture]] = {
    one.__name__.replace("_", " "): one
    for one in (grey_and_noisy, night, newspaper, old_print, shaken, interlaced, screen, compressed)
}


def _pixels(values: np.ndarray) -> Picture:
    """(height, width, 3) uint8 of (height, width, 1 or 3) numbers."""
    return np.broadcast_to(values.clip(0, 255), (*values.shape[:2], 3)).round().astype(np.uint8)
