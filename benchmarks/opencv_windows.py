"""Whether our code finds with OpenCV's cascades the windows that OpenCV finds, and in what time.

`python -m benchmarks.opencv_windows PHOTOS --limit 50`: a line for each photo whose windows differ, and a summary of
each cascade. Times are of one core.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from visavis import images
from visavis.detectors.opencv_haar import INSTALL
from visavis.detectors.viola_jones import opencv_xml
from visavis.detectors.viola_jones.integral import grey
from visavis.detectors.viola_jones.scanning import scan
from visavis.detectors.viola_jones.shrinking import shrunken_pictures
from visavis.extras import needed
from visavis.images import Picture
from visavis.reduced_photos import UsefulSize


@dataclass
class Options:
    """Compare the windows that pass OpenCV's cascades in OpenCV and in visavis."""

    photos: tyro.conf.Positional[Path]
    """A folder of photos."""
    cascades: tuple[str, ...] = ("frontalface_default",)
    """The cascades: what follows haarcascade_ in the names of their files, which come with OpenCV."""
    limit: int = 50
    """How many of them, evenly spaced by name."""
    longest: int = 320
    """Larger photos are reduced to so many pixels."""


def compare(options: Options) -> None:
    """Print the comparison."""
    cv2: Any = needed("cv2", "this comparison", INSTALL)
    cv2.setNumThreads(1)
    paths = sorted(images.find(options.photos))
    paths = paths[:: max(1, len(paths) // options.limit)][: options.limit]
    for name in options.cascades:
        file = Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"
        theirs, ours = cv2.CascadeClassifier(str(file)), opencv_xml.read(file)
        same, windows, seconds = 0, 0, np.zeros(2)
        for photo in paths:
            pixels = grey(reduced(images.read(photo), options.longest))
            starts = time.process_time()
            corners = np.array(theirs.detectMultiScale(pixels, 1.1, 0), np.float32).reshape(-1, 4)
            between = time.process_time()
            boxes = scan(ours, shrunken_pictures(ours, pixels)).boxes
            seconds += between - starts, time.process_time() - between
            corners[:, 2:] += corners[:, :2]
            windows += len(corners)
            if sorted(boxes.tolist()) == sorted(corners.tolist()):
                same += 1
            else:
                print(f"{name}, {photo.name}: {len(corners)} windows by OpenCV, {len(boxes)} by visavis")
        milliseconds = 1000 * seconds / max(1, len(paths))
        print(
            f"{name}: the same windows in {same} of {len(paths)} photos, {windows} in all; "
            f"CPU time a photo: {milliseconds[0]:.0f} ms by OpenCV, {milliseconds[1]:.0f} ms by visavis",
            flush=True,
        )


def reduced(picture: Picture, longest: int) -> Picture:
    """The picture with no more than so many pixels on its longer side."""
    return images.resize(picture, UsefulSize(longest=longest).size(*picture.shape[:2]))


if __name__ == "__main__":
    compare(tyro.cli(Options))
