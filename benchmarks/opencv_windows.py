"""Whether our code finds with OpenCV's cascade the windows that OpenCV finds, and in what time.

`python -m benchmarks.opencv_windows PHOTOS --limit 50`: a line for each photo whose windows differ, and a summary.
Times are of one core.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from visavis import images
from visavis.detectors.opencv_haar import INSTALL
from visavis.detectors.viola_jones import opencv_xml
from visavis.detectors.viola_jones.integral import grey
from visavis.detectors.viola_jones.scanning import scan
from visavis.detectors.viola_jones.shrinking import shrunken_pictures
from visavis.extras import needed


@dataclass
class Options:
    """Compare the windows that pass haarcascade_frontalface_default.xml in OpenCV and in visavis."""

    photos: tyro.conf.Positional[Path]
    """A folder of photos."""
    limit: int = 50
    """How many of them, evenly spaced by name."""
    longest: int = 320
    """Larger photos are reduced to so many pixels."""


def compare(options: Options) -> None:
    """Print the comparison."""
    cv2 = needed("cv2", "this comparison", INSTALL)
    cv2.setNumThreads(1)  # type: ignore[missing-attribute]
    path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"  # type: ignore[missing-attribute]
    theirs, ours = cv2.CascadeClassifier(str(path)), opencv_xml.read(path)  # type: ignore[missing-attribute]
    paths = sorted(images.find(options.photos))
    paths = paths[:: max(1, len(paths) // options.limit)][: options.limit]
    same, windows, seconds = 0, 0, np.zeros(2)
    for photo in paths:
        picture = images.read(photo)
        shrink = min(1.0, options.longest / max(picture.shape[:2]))
        size = round(picture.shape[0] * shrink), round(picture.shape[1] * shrink)
        pixels = grey(images.resize(picture, size) if shrink < 1 else picture)
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
            print(f"{photo.name}: {len(corners)} windows by OpenCV, {len(boxes)} by visavis")
    milliseconds = 1000 * seconds / max(1, len(paths))
    print(f"{same} of {len(paths)} photos: the same windows, {windows} in all")
    print(f"CPU time a photo: {milliseconds[0]:.0f} ms by OpenCV, {milliseconds[1]:.0f} ms by visavis")


if __name__ == "__main__":
    compare(tyro.cli(Options))
