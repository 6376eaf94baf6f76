"""Runs several detectors on the same labelled photos, and measures their time."""

import time
from collections.abc import Iterator

from visavis.data.photos import Photo, labels_within
from visavis.evaluation.contest import Contestant, LabelledPhotos, aligned
from visavis.evaluation.readable import readable
from visavis.images import Picture


def detect_all(contestants: list[Contestant], photos: list[Photo], batch_size: int) -> LabelledPhotos:
    """Decode each photo once and run every detector on it, which fills their `found`, `aligned` and `milliseconds`."""
    labelled = LabelledPhotos()
    warm = False
    for batch in _batches(_pictures(photos, labelled), batch_size):
        for contestant in contestants:
            if not warm:
                contestant.detector.detect(batch)  # the first call includes one-off costs, which are not measured
            began = time.perf_counter()
            contestant.found += contestant.detector.detect(batch)
            spent = (time.perf_counter() - began) * 1000 / len(batch)
            contestant.milliseconds += [spent] * len(batch)
        warm = True
    for contestant in contestants:
        contestant.aligned = aligned(contestant, labelled)
    return labelled


def _pictures(photos: list[Photo], labelled: LabelledPhotos) -> Iterator[Picture]:
    """The pictures of the photos that can be decoded; fills `labelled` with the labels of each."""
    for photo, picture in readable(photos, labelled.unreadable):
        size = (picture.shape[0], picture.shape[1])
        truth, ignore = labels_within(photo, size)
        labelled.ids.append(photo.image_id)
        labelled.paths.append(photo.path)
        labelled.sizes.append(size)
        labelled.truth.append(truth)
        labelled.ignore.append(ignore)
        yield picture


def _batches(pictures: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    batch: list[Picture] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
