"""The page of `visavis serve` in a browser in front of a made camera; conftest.py opens it for tests."""

import base64
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import skimage.data
from PIL import Image

LEFT = 40
"""Where the astronaut's photo begins in the camera's pictures, at its full size; the face is at 179, 62, 270, 178."""
FACE = LEFT + 179, 62, LEFT + 270, 178


def made_camera(path: Path) -> Path:
    """A file that Chromium takes for its camera: 640 x 480, the astronaut at the left, in front of grey."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[:, LEFT : LEFT + 512] = skimage.data.astronaut()[:480]
    planes = av.VideoFrame.from_ndarray(picture, format="rgb24").to_ndarray(format="yuv420p")
    frame = b"FRAME\n" + planes.tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F25:1 Ip A1:1 C420jpeg\n" + 5 * frame)
    return path


def until(page: Any, true: str) -> None:
    """Wait until an expression is true. (The page's policy forbids Playwright's own waiting.)"""
    for _ in range(2400):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true in two minutes: {true}")


def answers(page: Any, more: int = 2) -> None:
    """Wait for so many more answers to frames."""
    before = page.evaluate("Number(document.documentElement.dataset.answers ?? 0)")
    until(page, f"Number(document.documentElement.dataset.answers ?? 0) >= {before + more}")


def canvas(page: Any) -> np.ndarray:
    """What is drawn over the picture, or instead of it: (height, width, 4) uint8."""
    address = page.evaluate("document.querySelector('#canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))
