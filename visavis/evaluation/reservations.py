"""Reasons why the figures of an evaluation may mislead, as sentences for the reader of the table."""

from collections.abc import Iterator
from pathlib import Path

from visavis import metrics
from visavis.detectors.protocol import about
from visavis.evaluation.contest import Contestant, LabelledPhotos, ranked
from visavis.messages import counted


def reservations(contestants: list[Contestant], labelled: LabelledPhotos, out: Path) -> Iterator[str]:
    """Reports few faces, false positives that may be faces, and times measured on different back ends.

    out: the folder that holds the pages of mistakes.
    """
    faces = sum(map(len, labelled.truth))
    if 0 < faces < metrics.FEW:
        yield (
            f"{counted(len(labelled.paths), 'photo')} with {counted(faces, 'face')} cannot say much: one face found "
            f"or missed by chance changes recall by {1 / faces:.3f}. Look at the intervals, or evaluate on "
            f"{metrics.FEW} faces or more"
        )
    for contestant in contestants:
        if doubtful := metrics.doubtful(ranked(contestant, labelled), contestant.threshold):
            yield (
                f"{contestant.name}: {counted(doubtful, 'false positive scores', 'false positives score')} higher "
                "than half of the true positives and may be faces without a label, see the pages of mistakes in "
                f"{out}; python -m clean finds such faces"
            )
    runs = {one.name: about(one.detector).runs for one in contestants if about(one.detector).runs}
    if len(set(runs.values())) > 1:
        each = "; ".join(f"{name}: {how}" for name, how in runs.items())
        yield f"the times are of different back ends ({each}); --backend torch runs all of our networks in the same one"
