"""A training run: epoch after epoch of steps, each followed by a validation; what it saves, and how it is taken up."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from visavis import metrics
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.messages import say
from visavis.metrics import FEW, Judged, Scores, or_none
from visavis.training.pace import Pace
from visavis.training.pictures import SHOWN, Items, draw_batches, draw_finds, set_aside
from visavis.training.record import Record, draw_precision_recall

if TYPE_CHECKING:
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop

Figures = dict[str, Any]


@dataclass(frozen=True)
class Validation:
    """What a network is worth on labelled photos."""

    scores: Scores
    judged: Judged
    """Its finds, at IoU 0.5."""
    finds: dict[str, Faces]
    """By image_id."""


class Batches(Protocol):
    """Which photos come when: dataset.samplers.Batches."""

    batch_size: int
    steps: int

    def start(self, epoch: int, step: int) -> None: ...
    def whole(self) -> Any: ...
    def __len__(self) -> int: ...


class Run:
    """What learns, from which batches, how far it is, and the folder that it writes to.

    loader: a DataLoader of (images, targets), those that are left of the epoch that `batches` was started on.
    validate: scores the network on `held_out`; returns None where it was asked to stop. threshold: the score from which
    on a find counts, which stays where `held_out` shows too few faces to choose another (`metrics.FEW`).
    metadata: of the checkpoints. described: what a resumed run records of itself. epoch_over: called after each epoch.
    """

    def __init__(
        self,
        out: Path,
        learner: "Learner",
        batches: Batches,
        loader: Any,
        validate: "Callable[[Any, Stop], Validation | None]",
        held_out: Sequence[Any],
        epochs: int,
        patience: int | None,
        save_every: float,
        threshold: float,
        metadata: Figures,
        described: Figures,
        epoch_over: Callable[[], object],
    ) -> None:
        self.out, self.learner, self.batches, self.loader = out, learner, batches, loader
        self.validate, self.held_out, self.epoch_over = validate, held_out, epoch_over
        self.epochs, self.patience, self.metadata, self.described = epochs, patience, metadata, described
        self.pace = Pace(save_every)
        self.steps = epochs * batches.steps
        self.first = learner.world.first
        self.record: Record | None = None
        self.evaluated, self.worse, self.best, self.threshold = 0, 0, -1.0, threshold

    def go(self, stop: "Stop") -> int:
        """All that is left to do of the run. Returns the exit status. Raises InputError where the loss is no
        finite number."""
        from visavis.training.learner import NotFinite

        try:
            return self._go(stop)
        except NotFinite as error:
            raise self._not_finite(error.values) from None

    def draw_first(self) -> None:
        """Write first_batches.png: what the network sees first."""
        draw_batches(self.out / "first_batches.png", self.learner, *self._seen(1, 0, SHOWN))

    def _go(self, stop: "Stop") -> int:
        from visavis.training.distributed import pad_alike

        self.learner.guard = stop.guard
        if self.learner.world.size > 1:
            pad_alike(self.learner.model, self.learner.on)
        self.record = Record(self.out, self.learner.done, self.evaluated) if self.first else None
        if self.record and self.record.events is None:
            say("TensorBoard is not installed, and gets no events; the same figures are in metrics.jsonl, curves.png")
        if self.record and 0 < self.learner.done < self.steps:
            self.record.add({"epoch": self.evaluated + 1, "step": self.learner.done, "resumed": True} | self.described)
        while self.evaluated < self.epochs and not self.enough:
            self.batches.start(self.evaluated + 1, self.learner.done - self.evaluated * self.batches.steps)
            if not (self._learn(stop) and self._validate(stop)):
                self.save()
                self.tell(
                    f"stopped in epoch {self.evaluated + 1}, step {self.learner.done} of {self.steps}, and saved; "
                    f"go on with python train.py --resume --out {self.out}"
                )
                return stop.status or 1
        if self.enough:
            self.tell(f"no better AP in {self.worse} epochs: stopped, as --patience asks")
        self._conclude()
        return 0

    def _seen(self, epoch: int, step: int, count: int) -> tuple[Items, list[str]]:
        """So many items of the batches from a step on, as all processes together see them, and the photos' names."""
        dataset, batches = self.loader.dataset, self.batches.whole()
        batches.start(epoch, step)
        keys = list(islice(chain.from_iterable(batches), count))
        return [dataset[key] for key in keys], [dataset.photos[key[2]].image_id for key in keys]

    def _not_finite(self, values: dict[str, float]) -> InputError:
        """What to say of a loss that is not finite; all pictures of that batch are put aside, in not_finite/."""
        epoch, step = self.evaluated + 1, self.learner.done - self.evaluated * self.batches.steps
        items, names = self._seen(epoch, step, self.batches.batch_size)
        aside = self.out / "not_finite"
        if self.first:
            set_aside(aside, items, names, values)
        parts = ", ".join(f"{name} {value}" for name, value in values.items())
        return InputError(
            f"the loss is {sum(values.values())} in epoch {epoch}, step {self.learner.done + 1} ({parts}); lower `lr`; "
            f"see {', '.join(dict.fromkeys(names))}; they are in {aside} as the network got them"
        )

    def _conclude(self) -> None:
        """Say what came of the run, naming only files that are there."""
        weights = [self.out / name for name in ("best.safetensors", "last.safetensors")]
        weights = [path for path in weights if path.exists()]
        if not weights:
            self.tell(f"best AP {self.best:.3f}; {self.out} holds no weights any more")
            return
        curves = self.out / "curves.png"
        self.tell(f"best AP {self.best:.3f}: {weights[0]}" + (f"; curves in {curves}" if curves.exists() else ""))
        if self.best > 0:
            self.tell(f"find the faces in your photos: python predict.py PHOTOS --detector {weights[0]} --out boxed")
        else:
            self.tell("it finds none of the validation faces yet: train for more epochs, or start from trained weights")

    @property
    def enough(self) -> bool:
        """Whether the AP has not grown for so long that there is no more hope."""
        return self.patience is not None and self.worse >= self.patience

    def save(self, scores: Scores | None = None) -> None:
        """Save the training state, and the weights, as they are now; scores: theirs, if they were validated."""
        from visavis.training import state

        if not self.first:
            return
        with self.learner.guard:
            own = {"evaluated": self.evaluated, "worse": self.worse, "best": self.best, "threshold": self.threshold}
            state.save(self.out / state.NAME, self.learner.state() | own)
            self.keep("last.safetensors", scores)

    def restore(self) -> None:
        """Take up the run where it was saved."""
        from visavis.training import state

        if self.first:
            state.clear_torn(self.out)
        saved = state.load(self.out / state.NAME)
        self.learner.restore(saved)
        self.evaluated, self.worse = saved["evaluated"], saved["worse"]
        self.best, self.threshold = saved["best"], saved["threshold"]
        self.tell(f"goes on after step {self.learner.done} of {self.steps}, with {self.evaluated} epochs validated")

    def keep(self, name: str, scores: Scores | None) -> None:
        """Write a checkpoint of that name; scores: what the weights are worth, if they were validated."""
        from visavis import checkpoint, kinds

        figures = {key: or_none(round(value, 4)) for key, value in asdict(scores).items()} if scores else {}
        metadata = self.metadata | {
            "boxes": "x1 y1 x2 y2 in pixels, by the convention of the labels that it was trained on",
            "threshold": round(self._threshold(scores), 4),
            "epoch": -(-self.learner.done // self.batches.steps),
            "validation": figures,
        }
        metadata |= kinds.of(metadata).described(self.learner.kept)
        checkpoint.save(self.out / name, self.learner.kept.state_dict(), metadata)

    def _threshold(self, scores: Scores | None) -> float:
        """The threshold that goes with these scores, if they are of enough faces; else the one that it has."""
        return scores.best_threshold if scores and scores.faces >= FEW else self.threshold

    def tell(self, message: str) -> None:
        """Say it, of several processes in one."""
        if self.first:
            say(message)

    def _learn(self, stop: "Stop") -> bool:
        """The steps that are left of an epoch; False where the run is to stop."""
        from tqdm import tqdm

        epoch, left = self.evaluated + 1, len(self.batches)
        if not left:
            return True
        self.pace.begin()
        with tqdm(total=left, desc=f"epoch {epoch}", unit="step", file=sys.stderr, disable=not self.first) as bar:
            for images, targets in self.loader:
                self.pace.loaded()
                share, stopped = self.learner.step(images, targets, stop.wanted)
                foretold = self.pace.stepped(self.batches.batch_size)
                bar.update()
                step = self.learner.done
                if step % 10 == 0 or step % self.batches.steps == 0:
                    losses = self.learner.losses(share)
                    rate = self.learner.schedule.get_last_lr()[0]
                    line = {"epoch": epoch, "step": step, "loss": sum(losses.values())} | losses
                    bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
                    if self.record:
                        self.record.add(line | {"lr": rate} | self.pace.figures())
                if foretold:
                    self.tell(self.pace.estimate(self.steps - step, self.epochs - self.evaluated))
                if stopped:
                    return False
                if self.pace.due():
                    self.save()
        self.epoch_over()
        return True

    def _validate(self, stop: "Stop") -> bool:
        """Score the weights, keep them if they are the best, save; False where the run is to stop."""
        self.save()
        validation = self.validate(self.learner.kept, stop)
        if validation is None:
            return False
        scores, epoch = validation.scores, self.evaluated + 1
        threshold = self._threshold(scores)
        with self.learner.guard:
            self.worse = 0 if scores.ap > self.best else self.worse + 1
            if self.record:
                figures = {name: or_none(value) for name, value in asdict(scores).items()}
                self.record.add({"epoch": epoch, "step": self.learner.done} | figures)
                if scores.ap > self.best:
                    self.keep("best.safetensors", scores)
                    draw_finds(self.out / "predictions.png", self.held_out, validation.finds, threshold)
                    draw_precision_recall(self.out / "pr.png", validation.judged, threshold)
                self.record.chart()
            if scores.ap > self.best:
                self.best, self.threshold = scores.ap, threshold
            self.evaluated = epoch
            self.save(scores)
        self.tell(
            f"epoch {epoch}: AP {scores.ap:.3f}, AP50 {scores.ap50:.3f}, best F1 {scores.best_f1:.3f} at a score of "
            f"{scores.best_threshold:.2f}, on {scores.photos} photos with {scores.faces} faces"
        )
        self._reservations(validation, threshold)
        return True

    def _reservations(self, validation: Validation, threshold: float) -> None:
        """Say, once, what the figures cannot bear: too few faces, and false finds that may be faces."""
        if self.evaluated < self.epochs and not self.enough:
            return
        if validation.scores.faces < FEW:
            self.tell(
                f"{validation.scores.faces} faces for validation are too few to choose a threshold by ({FEW} or more "
                f"are needed): it stays {threshold:.2f}, and AP may be off by much"
            )
        if doubtful := metrics.doubtful(validation.judged, threshold):
            self.tell(
                f"{doubtful} false finds in the validation photos are surer than half of the right ones: they may be "
                f"faces that nobody labelled. See {self.out / 'predictions.png'}; python -m clean looks for such faces"
            )
