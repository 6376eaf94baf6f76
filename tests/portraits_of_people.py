"""Five portraits of three people."""

import numpy as np
from PIL import Image

from demo import photos

PORTRAITS = {name.partition(".")[0]: one for name, one in photos.load().portraits.items()}
"""astronaut, biden, obama, obama2, obama3: each with the box of its face."""


def around(name: str) -> np.ndarray:
    """A portrait without most of what is around the face: quick to search."""
    x1, y1, x2, y2 = PORTRAITS[name].boxes[0]
    side = max(x2 - x1, y2 - y1) * 0.7
    corners = [(x1 + x2) / 2 - side, (y1 + y2) / 2 - side, (x1 + x2) / 2 + side, (y1 + y2) / 2 + side]
    return np.asarray(Image.fromarray(PORTRAITS[name].picture).crop([round(at) for at in corners]).resize((320, 320)))
