"""A training run: epochs of steps, each followed by a validation, and how it is saved and resumed."""

import sys
from collections.abc import Callable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from visavis import kinds
from visavis.errors import InputError
from visavis.messages import counted, say
from visavis.training.history import History
from visavis.training.pace import Pace
from visavis.training.pictures import SHOWN, Items
from visavis.training.validation import Outcome

if TYPE_CHECKING:
    from visavis.training.learner import Learner
    from visavis.training.stopping import Stop

Figures = dict[str, Any]


class Batches(Protocol):
    """The order in which photos are learnt from: dataset.samplers.Batches."""

    batch_size: int
    steps: int

    def start(self, epoch: int, step: int) -> None: ...
    def whole(self) -> Any: ...
    def __len__(self) -> int: ...


class Subject(Protocol):
    """What is learnt: one of dataset.subjects."""

    @property
    def photos(self) -> Sequence[Any]: ...
    @property
    def held_out(self) -> Sequence[Any]: ...
    def draw(self, path: Path, learner: Any, items: Items, names: Sequence[str]) -> None: ...
    def set_aside(self, folder: Path, items: Items, names: Sequence[str], losses: dict[str, float]) -> None: ...


class Run:
    """A training run: the learner, its batches, its progress, and the folder that it writes to.

    loader: a DataLoader of (images, targets), those that are left of the epoch that `batches` was started on.
    validate: scores the network on the photos held out; returns None where it was asked to stop. threshold: the score
    from which on an answer counts, until a validation finds a better one.
    metadata: of the checkpoints. described: what a resumed run records of itself. epoch_over: called after each epoch.
    """

    def __init__(
        self,
        out: Path,
        learner: "Learner",
        batches: Batches,
        loader: Any,
        subject: Subject,
        validate: "Callable[[Any, Stop], Outcome | None]",
        epochs: int,
        patience: int | None,
        save_every: float,
        threshold: float,
        metadata: Figures,
        described: Figures,
        epoch_over: Callable[[], object],
    ) -> None:
        self.out, self.learner, self.batches, self.loader = out, learner, batches, loader
        self.subject, self.validate, self.epoch_over = subject, validate, epoch_over
        self.epochs, self.patience, self.metadata, self.described = epochs, patience, metadata, described
        self.pace = Pace(save_every)
        self.steps = epochs * batches.steps
        self.first = learner.world.first
        self.history: History | None = None
        self.evaluated, self.worse, self.best, self.threshold = 0, 0, -1.0, threshold

    def go(self, stop: "Stop") -> int:
        """Do the rest of the run. Returns the exit status. Raises InputError if the loss is not finite."""
        from visavis.training.learner import NotFinite

        try:
            return self._go(stop)
        except NotFinite as error:
            raise self._not_finite(error.values) from None

    def draw_first(self) -> None:
        """Write first_batches.png, the pictures of the first batches."""
        self.subject.draw(self.out / "first_batches.png", self.learner, *self._seen(1, 0, SHOWN))

    def _go(self, stop: "Stop") -> int:
        self.learner.guard = stop.guard
        kind = kinds.of(self.metadata)
        if self.learner.world.size > 1 and hasattr(kind, "spread"):
            kind.spread(self.learner.model, self.learner.on)
        self.history = History(self.out, self.learner.done, self.evaluated) if self.first else None
        if self.history and self.history.events is None:
            say("TensorBoard is not installed; metrics.jsonl and curves.png have the figures that it would show")
        if self.history and 0 < self.learner.done < self.steps:
            self.history.add({"epoch": self.evaluated + 1, "step": self.learner.done, "resumed": True} | self.described)
        while self.evaluated < self.epochs and not self.enough:
            self.batches.start(self.evaluated + 1, self.learner.done - self.evaluated * self.batches.steps)
            if not (self._learn(stop) and self._validate(stop)):
                self.save()
                self.tell(
                    f"stopped in epoch {self.evaluated + 1}, step {self.learner.done} of {self.steps}, and saved; "
                    f"continue with python train.py --resume --out {self.out}"
                )
                return stop.status or 1
        if self.enough:
            self.tell(f"stopped, because {kind.GOAL} has not improved in {counted(self.worse, 'epoch')} (--patience)")
        self._conclude()
        return 0

    def _seen(self, epoch: int, step: int, count: int) -> tuple[Items, list[str]]:
        """`count` items of the batches of all processes from a step on, and the photos' names."""
        dataset, batches = self.loader.dataset, self.batches.whole()
        batches.start(epoch, step)
        keys = list(islice(chain.from_iterable(batches), count))
        return [dataset[key] for key in keys], [dataset.name(key[2]) for key in keys]

    def _not_finite(self, values: dict[str, float]) -> InputError:
        """The error for a loss that is not finite; saves all pictures of that batch in not_finite/."""
        epoch, step = self.evaluated + 1, self.learner.done - self.evaluated * self.batches.steps
        items, names = self._seen(epoch, step, self.batches.batch_size)
        aside = self.out / "not_finite"
        if self.first:
            self.subject.set_aside(aside, items, names, values)
        parts = ", ".join(f"{name} {value}" for name, value in values.items())
        return InputError(
            f"the loss is {sum(values.values())} in epoch {epoch}, step {self.learner.done + 1} ({parts}); lower `lr`; "
            f"see {', '.join(dict.fromkeys(names))}; they are in {aside} as the network received them"
        )

    def _conclude(self) -> None:
        """Report the result of the run, naming only files that exist."""
        weights = [self.out / name for name in ("best.safetensors", "last.safetensors")]
        weights = [path for path in weights if path.exists()]
        kind = kinds.of(self.metadata)
        if not weights:
            self.tell(f"best {kind.GOAL} {self.best:.3f}; {self.out} no longer holds any weights")
            return
        curves = self.out / "curves.png"
        drawn = f"; curves in {curves}" if curves.exists() else ""
        self.tell(f"best {kind.GOAL} {self.best:.3f}: {weights[0]}{drawn}")
        self.tell(kind.USE.format(weights=weights[0]) if self.best > 0 else kind.NO_USE)

    @property
    def enough(self) -> bool:
        """Whether no validation was better for so long that there is no more hope."""
        return self.patience is not None and self.worse >= self.patience

    def save(self, outcome: Outcome | None = None) -> None:
        """Save the training state, and the weights, as they are now; outcome: theirs, if they were validated."""
        from visavis.training import state

        if not self.first:
            return
        with self.learner.guard:
            own = {"evaluated": self.evaluated, "worse": self.worse, "best": self.best, "threshold": self.threshold}
            state.save(self.out / state.NAME, self.learner.state() | own)
            self.keep("last.safetensors", outcome)

    def restore(self) -> None:
        """Continue the run from where it was saved."""
        from visavis.training import state

        if self.first:
            state.clear_torn(self.out)
        saved = state.load(self.out / state.NAME)
        self.learner.restore(saved)
        self.evaluated, self.worse = saved["evaluated"], saved["worse"]
        self.best, self.threshold = saved["best"], saved["threshold"]
        self.tell(
            f"continues after step {self.learner.done} of {self.steps}, with {counted(self.evaluated, 'epoch')} "
            "validated"
        )

    def keep(self, name: str, outcome: Outcome | None) -> None:
        """Write a checkpoint of that name; outcome: what the weights are worth, if they were validated."""
        from visavis import checkpoint

        figures = outcome.figures() if outcome else {}
        metadata = self.metadata | {
            "threshold": round(outcome.threshold(self.threshold) if outcome else self.threshold, 4),
            "epoch": -(-self.learner.done // self.batches.steps),
            "validation": {key: value and round(value, 4) for key, value in figures.items()},
        }
        metadata |= kinds.of(metadata).described(self.learner.kept)
        checkpoint.save(self.out / name, self.learner.kept.state_dict(), metadata)

    def tell(self, message: str) -> None:
        """Say it in the first process alone."""
        if self.first:
            say(message)

    def _learn(self, stop: "Stop") -> bool:
        """Do the rest of an epoch's steps. Returns False if the run is to stop."""
        from tqdm import tqdm

        epoch, left = self.evaluated + 1, len(self.batches)
        if not left:
            return True
        self.pace.begin()
        with tqdm(total=left, desc=f"epoch {epoch}", unit="step", file=sys.stderr, disable=not self.first) as bar:
            for images, targets in self.loader:
                self.pace.loaded()
                share, stopped = self.learner.step(images, targets, stop.wanted)
                timed = self.pace.stepped(self.batches.batch_size)
                bar.update()
                step = self.learner.done
                if step % 10 == 0 or step % self.batches.steps == 0:
                    losses = self.learner.losses(share)
                    rate = self.learner.schedule.get_last_lr()[0]
                    line = {"epoch": epoch, "step": step, "loss": sum(losses.values())} | losses
                    bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
                    if self.history:
                        self.history.add(line | {"lr": rate} | self.pace.figures())
                if timed:
                    self.tell(self.pace.estimate(self.steps - step, self.epochs - self.evaluated))
                if stopped:
                    return False
                if self.pace.due():
                    self.save()
        self.epoch_over()
        return True

    def _validate(self, stop: "Stop") -> bool:
        """Score the weights, keep them if they are the best, and save. Returns False if the run is to stop."""
        self.save()
        outcome = self.validate(self.learner.kept, stop)
        if outcome is None:
            return False
        epoch, threshold = self.evaluated + 1, outcome.threshold(self.threshold)
        better = outcome.value > self.best
        with self.learner.guard:
            self.worse = 0 if better else self.worse + 1
            if self.history:
                self.history.add({"epoch": epoch, "step": self.learner.done} | outcome.figures())
                if better:
                    self.keep("best.safetensors", outcome)
                    outcome.show(self.out, self.subject.held_out, threshold)
                self.history.chart()
            if better:
                self.best, self.threshold = outcome.value, threshold
            self.evaluated = epoch
            self.save(outcome)
        self.tell(f"epoch {epoch}: {outcome.sentence()}")
        if self.evaluated == self.epochs or self.enough:
            for reservation in outcome.reservations(self.out, threshold):
                self.tell(reservation)
        return True
