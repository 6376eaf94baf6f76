"""The optimiser, its learning rate for a batch size, the schedule of the rate, and the running mean of the weights."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from visavis.training.recipe import Course, Optimiser, Recipe

WEIGHT_DECAY: dict[Optimiser, float] = {"adamw": 0.01, "sgd": 1e-4}
DROPS = (16 / 26, 22 / 26)
"""When `steps` divides the rate by ten: after epochs 16 and 22 of 26 in torchvision's references/detection."""


def learning_rate(optimiser: Optimiser, batch_size: int) -> float:
    """The peak rate for that many photos per step.

    sgd: 0.02 for 16 photos, as in torchvision's reference, and proportional to the batch size (Goyal et al. 2017,
    "Accurate, Large Minibatch SGD"). adamw: 2e-4 for 16, and proportional to its square root (Malladi et al. 2022, "On
    the SDEs and Scaling Rules for Adaptive Gradient Algorithms").
    """
    return 0.02 * batch_size / 16 if optimiser == "sgd" else 2e-4 * math.sqrt(batch_size / 16)


def optimise(learning: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, or SGD with a momentum of 0.9, at the recipe's rate."""
    name = recipe.optimiser
    rate = learning_rate(name, recipe.batch_size) if recipe.lr == "auto" else recipe.lr
    decay = WEIGHT_DECAY[name] if recipe.weight_decay == "auto" else recipe.weight_decay
    if name == "sgd":
        return torch.optim.SGD(learning, rate, momentum=0.9, weight_decay=decay)
    return torch.optim.AdamW(learning, rate, weight_decay=decay)


def course(optimiser: torch.optim.Optimizer, name: Course, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate over that many steps; the optimiser's own rate is the peak."""
    return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: factor(name, step, steps))


def factor(course: Course, step: int, steps: int) -> float:
    """Share of the peak rate at a step: a linear warm-up over 5 % of the steps, at most 500, then half a cosine down to
    0, or two drops to a tenth (`DROPS`)."""
    warm_up = max(1, min(500, steps // 20))
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    if course == "steps":
        return 0.1 ** sum(step >= drop * steps for drop in DROPS)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def running_mean(model: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """A copy of `model` that holds the exponential moving average of its weights (Polyak and Juditsky 1992).

    At first the decay is smaller, (1 + n) / (10 + n) at step n, so that random initial weights are soon forgotten.
    """

    def follow(averaged: Any, current: Any, count: Tensor | int) -> None:
        taken = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averaged, current, taken)

    return torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=follow)
