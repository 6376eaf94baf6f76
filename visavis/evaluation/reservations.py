"""What the figures of an evaluation cannot bear, in sentences: for the person who reads the table."""

from collections.abc import Iterator
from pathlib import Path

from visavis import metrics
from visavis.detectors.protocol import about
from visavis.evaluation.contest import Contestant, Labelled, ranked


def reservations(contestants: list[Contestant], labelled: Labelled, out: Path) -> Iterator[str]:
    """Few faces, false finds that may be faces, and times that were taken with different programs.

    out: the folder that holds the pages of mistakes.
    """
    faces = sum(map(len, labelled.truth))
    if 0 < faces < metrics.FEW:
        yield (
            f"{len(labelled.paths)} photos with {faces} faces say little: one face found or missed by chance moves "
            f"recall by {1 / faces:.3f}. Go by the intervals, or evaluate on {metrics.FEW} faces or more"
        )
    for contestant in contestants:
        if doubtful := metrics.doubtful(ranked(contestant, labelled), contestant.threshold):
            yield (
                f"{contestant.name}: {doubtful} false finds are surer than half of the right ones, so they may be "
                f"faces that nobody labelled. See the pages of mistakes in {out}; python -m clean looks for such faces"
            )
    runs = {one.name: about(one.detector).runs for one in contestants if about(one.detector).runs}
    if len(set(runs.values())) > 1:
        each = "; ".join(f"{name}: {how}" for name, how in runs.items())
        yield f"the times are of different programs ({each}); --backend torch has all of our networks run by the same"
