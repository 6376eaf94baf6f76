"""A network and everything that changes while it learns: one step at a time, saved and restored as a whole."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from visavis.training import schedule
from visavis.training.distributed import World, spread, watched
from visavis.training.draws import Draws
from visavis.training.precision import autocast, compile_backbone
from visavis.training.recipe import Recipe
from visavis.training.teacher import Teacher

CLIP = 10.0
"""Gradients are clipped to this norm, taken over all parameters."""

Picture = Tensor
Target = dict[str, Any]


class NotFinite(RuntimeError):
    """The loss is infinite or NaN. `values`: its parts. No weight was changed."""

    def __init__(self, values: dict[str, float]) -> None:
        super().__init__(", ".join(f"{name} {value}" for name, value in values.items()))
        self.values = values


@dataclass
class Learner:
    """A training step, and the state between two steps."""

    model: FasterRCNN
    called: Any
    """The network as it is called in training: `model`, or its wrapper for several processes."""
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    averaged: torch.optim.swa_utils.AveragedModel | None
    draws: Draws
    parts: list[tuple[int, float]]
    """For each part of a batch, the number of pictures that go through the network together, and their share of it."""
    on: torch.device
    precision: str = "fp32"
    world: World = field(default_factory=World)
    guard: AbstractContextManager[Any] = field(default_factory=nullcontext)
    """Is held while weights change."""
    teacher: Teacher | None = None
    """What the feature pyramid learns from in addition to the labels, if anything."""
    done: int = 0
    """Steps since the beginning of the run."""

    @classmethod
    def of(
        cls,
        model: nn.Module,
        draws: Callable[[Any], Draws],
        recipe: Recipe,
        steps: int,
        parts: list[tuple[int, float]],
        on: torch.device,
        precision: str,
        world: World,
        teacher: Path | None = None,
        compiled: bool = False,
    ) -> Self:
        """One for a network on its device that has learnt nothing yet. draws: makes it draw from seeds. steps: of the
        whole run. teacher: a checkpoint. compiled: whether torch compiles the backbone."""
        optimiser = schedule.optimise([one for one in model.parameters() if one.requires_grad], recipe)
        course = schedule.course(optimiser, recipe.schedule, steps)
        averaged = schedule.running_mean(model, recipe.ema) if recipe.ema else None
        drawn = draws(model)
        if compiled:
            compile_backbone(model.get_submodule("backbone"), on)
        called = spread(model, on) if world.size > 1 else model
        guide = Teacher(teacher, model, on) if teacher is not None else None
        return cls(model, called, optimiser, course, averaged, drawn, parts, on, precision, world, teacher=guide)

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.on.type, enabled=self.precision == "fp16")
        self.rate: float = self.optimiser.param_groups[0]["initial_lr"]
        self.learning = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        self._before: dict[str, Tensor] = {}

    @property
    def kept(self) -> FasterRCNN:
        """The network that is validated and saved: the running mean of the weights, if there is one."""
        return self.averaged.module if self.averaged is not None else self.model

    def step(self, images: list[Picture], targets: list[Target], stop: bool = False) -> tuple[dict[str, Tensor], bool]:
        """Learn from a batch. Returns this process's share of the losses, and whether any process wants to stop.

        targets: torchvision's, with `draw`, the seed of each picture. stop: whether this process wants to stop.
        Raises NotFinite in all processes if the loss is not finite in one of them, and PeerLost.
        """
        self.model.train()
        self._before = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.optimiser.zero_grad(set_to_none=True)
        sums: list[dict[str, Tensor]] = []
        for last, share, some, theirs in self._parts(images, targets):
            self.draws.begin([int(target["draw"]) for target in theirs])
            shown = [_on(target, self.on) for target in theirs]
            with watched(), autocast(self.precision, self.on):
                losses = self.called([image.to(self.on, non_blocking=True) for image in some], shown)
                if self.teacher is not None:
                    losses[Teacher.LOSS] = self.teacher.loss()
            losses, stop = self._agree(losses, stop)
            sums.append({name: loss.detach() * share for name, loss in losses.items()})
            held = nullcontext() if last or self.world.size == 1 else self.called.no_sync()
            with watched(), held:
                self.scaler.scale(torch.stack(list(losses.values())).sum() * share).backward()
        with self.guard:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.learning, CLIP)
            self.scaler.step(self.optimiser)
            self.scaler.update()
            if self.averaged is not None:
                self.averaged.update_parameters(self.model)
            self.schedule.step()
            self.done += 1
            self._before = {}
        return {name: torch.stack([part[name] for part in sums]).sum() for name in sums[0]}, stop

    def losses(self, share: dict[str, Tensor]) -> dict[str, float]:
        """The losses over all processes, from what `step` returned in each. All processes must call it."""
        values = self.world.sum(torch.stack([value.float() for value in share.values()]))
        return dict(zip(share, (values / self.world.size).tolist(), strict=True))

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on except the photos. During a step, that is the state before it: batch
        norms have seen its pictures already, and would see them twice."""
        weights = self.model.state_dict()
        weights.update({name: buffer for name, buffer in self._before.items() if name in weights})
        return {
            "done": self.done,
            "model": weights,
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.done = state["done"]
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])

    def _parts(
        self, images: list[Picture], targets: list[Target]
    ) -> Iterator[tuple[bool, float, list[Picture], list[Target]]]:
        """For each part: whether it is the last, its share of the batch, its pictures and its targets."""
        begin = 0
        for number, (size, share) in enumerate(self.parts, start=1):
            part = slice(begin, begin + size)
            yield number == len(self.parts), share, images[part], targets[part]
            begin += size

    def _agree(self, losses: dict[str, Tensor], stop: bool) -> tuple[dict[str, Tensor], bool]:
        """The losses weighted for all processes, and whether any process wants to stop. Raises NotFinite."""
        finite = bool(
            torch.stack([loss.detach() for loss in losses.values()]).isfinite().all()
        )  # one wait for the device
        if self.world.size > 1:
            counts = self.draws.regions | {"pictures": torch.tensor(len(self.draws.seeds), device=self.on)}
            flags = torch.tensor([not finite, stop], dtype=torch.float32, device=self.on)
            totals = self.world.sum(torch.cat([torch.stack(list(counts.values())).float(), flags]))
            finite, stop = totals[-2].item() == 0, totals[-1].item() > 0
            losses = self.world.weigh(losses, counts, dict(zip(counts, totals, strict=False)))
        if not finite:
            raise NotFinite({name: loss.item() for name, loss in losses.items()})
        return losses, stop


def _on(target: Target, device: torch.device) -> Target:
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for name, value in target.items()
    }
