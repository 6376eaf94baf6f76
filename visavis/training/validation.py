"""The outcome of a validation in training: the figure that decides, and all that is recorded and shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from visavis import charts, metrics
from visavis.faces import Faces
from visavis.messages import counted
from visavis.metrics import FEW, Judged, Scores, or_none
from visavis.training.pictures import draw_finds


class Outcome(Protocol):
    """The outcome of every validation, whatever the network learns."""

    @property
    def value(self) -> float:
        """The more, the better: the weights with the most are the best."""
        ...

    def figures(self) -> dict[str, Any]:
        """For the record and the checkpoint: a number a name, None where there is none."""
        ...

    def threshold(self, current: float) -> float:
        """The score from which on the network's answers count, where it was `current`."""
        ...

    def sentence(self) -> str:
        """For people."""
        ...

    def show(self, folder: Path, held_out: Sequence[Any], threshold: float) -> None:
        """Draw what the network makes of the photos held out."""
        ...

    def reservations(self, folder: Path, threshold: float) -> list[str]:
        """What the figures cannot bear."""
        ...


@dataclass(frozen=True)
class Validation:
    """What a detector is worth on labelled photos."""

    scores: Scores
    judged: Judged
    """Its finds, at IoU 0.5."""
    finds: dict[str, Faces]
    """By image_id."""

    @property
    def value(self) -> float:
        """See Outcome."""
        return self.scores.ap

    def figures(self) -> dict[str, Any]:
        """See Outcome."""
        return {name: or_none(value) for name, value in asdict(self.scores).items()}

    def threshold(self, current: float) -> float:
        """That of the best F1; it stays where too few faces were seen to choose by (`metrics.FEW`)."""
        return self.scores.best_threshold if self.scores.faces >= FEW else current

    def sentence(self) -> str:
        """See Outcome."""
        scores = self.scores
        return (
            f"AP {scores.ap:.3f}, AP50 {scores.ap50:.3f}, best F1 {scores.best_f1:.3f} at a score of "
            f"{scores.best_threshold:.2f}, on {counted(scores.photos, 'photo')} with {counted(scores.faces, 'face')}"
        )

    def show(self, folder: Path, held_out: Sequence[Any], threshold: float) -> None:
        """predictions.png, pr.png."""
        draw_finds(folder / "predictions.png", held_out, self.finds, threshold)
        charts.precision_recall(["validation"], [self.judged], [threshold], folder / "pr.png")

    def reservations(self, folder: Path, threshold: float) -> list[str]:
        """Reasons why the figures may mislead: too few faces, or false positives that may be faces."""
        said = []
        if self.scores.faces < FEW:
            said.append(
                f"{counted(self.scores.faces, 'validation face is', 'validation faces are')} too few to choose a "
                f"threshold from ({FEW} or more are needed): it stays {threshold:.2f}, and AP is very uncertain"
            )
        if doubtful := metrics.doubtful(self.judged, threshold):
            said.append(
                f"{counted(doubtful, 'false positive scores', 'false positives score')} higher than half of the true "
                "positives in the validation photos and may be faces without a label, see "
                f"{folder / 'predictions.png'}; python -m clean finds such faces"
            )
        return said
