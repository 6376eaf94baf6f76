"""Scores a network in training on labelled photos. evaluate.py compares finished detectors."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dataset.photos import Photo, labels_within
from visavis import kinds
from visavis.boxes import Boxes
from visavis.calibration import Calibration
from visavis.errors import ImageError, InputError
from visavis.faces import Faces
from visavis.images import read
from visavis.messages import counted, say
from visavis.metrics import judge, score
from visavis.training.validation import Validation

if TYPE_CHECKING:
    import torch
    from torchvision.models.detection import FasterRCNN

    from visavis.training.distributed import World
    from visavis.training.stopping import Stop

LOWEST_SCORE = 0.05
"""Detections with lower scores are left out: they are very many, and hardly change AP."""


def evaluate(
    model: "FasterRCNN",
    photos: Sequence[Photo],
    on: "torch.device",
    world: "World | None" = None,
    stop: "Stop | None" = None,
    kind: str = "faster_rcnn",
    scoring: Calibration = Calibration(),
) -> Validation | None:
    """Score the model on labelled photos, divided among the processes of `world`; None if `stop` was asked meanwhile.

    kind: of network, one of visavis.kinds. scoring: the calibration of its scores. Photos that cannot be read are named
    on stderr and left out. Raises InputError if no photo can be read, or none of the readable ones has a face.
    """
    from tqdm import tqdm

    from dataset.samplers import Share
    from visavis.training.distributed import World

    world = world or World()
    detector = kinds.of({"kind": kind}).detector(model, LOWEST_SCORE, on)
    seen: dict[str, tuple[Faces, Faces, Boxes]] = {}
    mine = [photos[number] for number in Share(len(photos), world.rank, world.size)]
    for photo in tqdm(mine, "validation", unit="photo", file=sys.stderr, leave=False, disable=not world.first):
        if stop is not None and stop.wanted:
            break
        try:
            picture = read(photo.path, photo.max_pixels)
        except ImageError as error:
            say(f"left out: {photo.path}: {error}")
            continue
        found = detector.detect([picture])[0]
        found = replace(found, scores=scoring.in_company(scoring.apply(np.asarray(found.scores))))
        seen[photo.image_id] = (found, *labels_within(photo, picture.shape[:2]))
    gathered = world.gather((seen, stop is not None and stop.wanted))
    if any(stopped for _, stopped in gathered):
        return None
    together = {image_id: one for part, _ in gathered for image_id, one in part.items()}
    ordered = {photo.image_id: together[photo.image_id] for photo in photos if photo.image_id in together}
    if not ordered:
        raise InputError(f"of {counted(len(photos), 'photo')} for validation, none can be read; run `python -m clean`")
    finds, truth, ignore = (list(column) for column in zip(*ordered.values(), strict=True))
    if not any(map(len, truth)):
        raise InputError(
            f"of {counted(len(ordered), 'readable validation photo')}, none has a usable face, so there is nothing to "
            "score; look at their labels with `python -m dataset sheet`"
        )
    return Validation(
        score(truth, finds, ignore), judge(truth, finds, 0.5, ignore), dict(zip(ordered, finds, strict=True))
    )
