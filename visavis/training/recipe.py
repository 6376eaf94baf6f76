"""Options of how a network learns: epochs, batches, optimiser, learning rate and running mean."""

from dataclasses import dataclass
from typing import Annotated, Literal

from visavis.options import Count, Range

Optimiser = Literal["adamw", "sgd"]
Course = Literal["cosine", "steps"]
Auto = Annotated[float | Literal["auto"], Range(0)]


@dataclass(frozen=True)
class Recipe:
    """How a network learns."""

    epochs: Count = 12
    """Passes over the training photos."""
    batch_size: Count = 16
    """Photos per step, in all processes together."""
    accumulate: Count = 1
    """Divide each batch into this many parts, one after the other, which takes less memory."""
    optimiser: Optimiser = "adamw"
    """adamw, or sgd with a momentum of 0.9, as in torchvision's reference."""
    lr: Auto = "auto"
    """Peak learning rate. auto: 2e-4 for 16 photos per step for adamw, proportional to the square root of the batch;
    0.02 for sgd, proportional to the batch."""
    weight_decay: Auto = "auto"
    """Weight decay, for all trained weights. auto: 0.01 for adamw, 0.0001 for sgd."""
    schedule: Course = "cosine"
    """How the rate falls after a short warm-up: along half a cosine, or to a tenth after 62 and 85 percent."""
    ema: Annotated[float, Range(0, 1, without=(1,))] = 0.999
    """Decay of the running mean of the weights, which is validated and kept: 0.999 averages about 1,000 steps.
    0: the weights themselves."""
