"""How a network learns, as options: how often it sees the photos, how many a step, and by what its weights change."""

from dataclasses import dataclass
from typing import Annotated, Literal

from visavis.options import Count, Range

Optimiser = Literal["adamw", "sgd"]
Course = Literal["cosine", "steps"]
Auto = Annotated[float | Literal["auto"], Range(0)]


@dataclass(frozen=True)
class Recipe:
    """How it learns."""

    epochs: Count = 12
    """Times that every training photo is seen."""
    batch_size: Count = 16
    """Photos a step, in all processes together."""
    accumulate: Count = 1
    """Put them through the network in this many parts, one after the other: takes less memory."""
    optimiser: Optimiser = "adamw"
    """adamw, or sgd with a momentum of 0.9, as torchvision's reference."""
    lr: Auto = "auto"
    """Peak learning rate. auto: 2e-4 at 16 photos a step for adamw, scaled by the square root of the batch; 0.02 for
    sgd, in proportion to it."""
    weight_decay: Auto = "auto"
    """On all weights that learn. auto: 0.01 for adamw, 0.0001 for sgd."""
    schedule: Course = "cosine"
    """How the rate falls after a short warm-up: along half a cosine, or to a tenth after 62 and 85 percent."""
    ema: Annotated[float, Range(0, 1, without=(1,))] = 0.999
    """Validate and keep a running mean of the weights that forgets this slowly: 0.999 remembers some 1,000 steps.
    0: the weights themselves."""
