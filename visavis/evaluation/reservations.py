"""Reasons why the figures of an evaluation may mislead, as sentences for the reader of the table."""

from collections.abc import Iterator
from pathlib import Path

from visavis import metrics
from visavis.detectors.protocol import about
from visavis.evaluation.contest import Contestant, LabelledPhotos, ranked


def reservations(contestants: list[Contestant], labelled: LabelledPhotos, out: Path) -> Iterator[str]:
    """Reports few faces, false positives that may be faces, and times measured on different back ends.

    out: the folder that holds the pages of mistakes.
    """
    faces = sum(map(len, labelled.truth))
    if 0 < faces < metrics.FEW:
        yield (
            f"{len(labelled.paths)} photos with {faces} faces say little: one face found or missed by chance changes "
            f"recall by {1 / faces:.3f}. Look at the intervals, or evaluate on {metrics.FEW} faces or more"
        )
    for contestant in contestants:
        if doubtful := metrics.doubtful(ranked(contestant, labelled), contestant.threshold):
            yield (
                f"{contestant.name}: {doubtful} false positives score higher than half of the true positives: they may "
                f"be unlabelled faces, see the pages of mistakes in {out}; python -m clean finds such faces"
            )
    runs = {one.name: about(one.detector).runs for one in contestants if about(one.detector).runs}
    if len(set(runs.values())) > 1:
        each = "; ".join(f"{name}: {how}" for name, how in runs.items())
        yield f"the times are of different back ends ({each}); --backend torch runs all of our networks in the same one"
