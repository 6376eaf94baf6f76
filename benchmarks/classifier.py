"""How often the live page's classifier is right: `python -m benchmarks.classifier PHOTOS --weights FILE`.

PHOTOS is a folder with one photo of each of ImageNet's 1,000 classes, whose names begin with the class's WordNet
number, n01440764_tench.JPEG: these numbers in order are the classes in order. Prints the share of photos
whose class comes first, and that of those whose class is among the first five.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from visavis import images
from visavis.commands.commandline import main
from visavis.errors import InputError
from visavis.live.classifier import Classifier
from visavis.messages import say


@dataclass
class Options:
    """Measure a classifier."""

    photos: tyro.conf.Positional[Path]
    """A folder of photos, one a class."""
    classifier: str = "mobilenet_v2"
    """One of torchvision's."""
    weights: Path | None = None
    """A file with its weights; by default torchvision fetches them."""


def measure(options: Options) -> int:
    """Look at all photos. Raises InputError for a folder that has not one photo a class."""
    classifier = Classifier(options.classifier, options.weights)
    photos = sorted(options.photos.glob("n*_*"), key=lambda path: path.name.partition("_")[0])
    if len(photos) != len(classifier.classes):
        raise InputError(f"{options.photos} has {len(photos)} photos for {len(classifier.classes)} classes")
    places = [
        int((-classifier.shares(images.read(path))).argsort(kind="stable").argsort()[number])
        for number, path in enumerate(photos)
    ]
    figures = {"photos": len(photos), "top1": np.mean(np.array(places) < 1), "top5": np.mean(np.array(places) < 5)}
    say(json.dumps({"classifier": options.classifier} | {name: round(float(one), 3) for name, one in figures.items()}))
    return 0


if __name__ == "__main__":
    main(measure, Options)
