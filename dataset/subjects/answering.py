"""What a network that is shown single faces answers on those held out."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from dataset.samplers import Share
from visavis.errors import InputError
from visavis.messages import counted

if TYPE_CHECKING:
    from visavis.training.distributed import World
    from visavis.training.stopping import Stop

AT_ONCE = 64
"""Faces that go through the network together."""


class Faces(Protocol):
    """Faces by their numbers."""

    def plain(self, face: int) -> Any:
        """What the network is shown of a face; None if its photo cannot be read."""
        ...


def answers(
    model: torch.nn.Module,
    faces: Faces,
    wanted: Sequence[int],
    ask: Callable[[list[Any]], Iterable[Any]],
    world: "World",
    stop: "Stop",
) -> list[tuple[int, Any]] | None:
    """The number and the answer of each of the `wanted` faces whose photo can be read, in order of their numbers; None
    if `stop` was asked meanwhile. The faces are divided among the processes of `world`.

    ask: from what is shown of several faces to the answer on each; what it gives must be possible to pickle. Raises
    InputError if no photo can be read.
    """
    numbers = [wanted[place] for place in Share(len(wanted), world.rank, world.size)]
    training = model.training
    model.eval()
    mine: list[tuple[int, Any]] = []
    with torch.inference_mode():
        for first in range(0, len(numbers), AT_ONCE):
            if stop.wanted:
                break
            seen = {number: faces.plain(number) for number in numbers[first : first + AT_ONCE]}
            shown = {number: one for number, one in seen.items() if one is not None}
            if shown:
                mine += zip(shown, ask(list(shown.values())), strict=True)
    model.train(training)
    gathered = world.gather((mine, stop.wanted))
    if any(stopped for _, stopped in gathered):
        return None
    together: list[tuple[int, Any]] = sorted((one for part, _ in gathered for one in part), key=lambda one: one[0])
    if not together:
        raise InputError(
            f"none of the photos of {counted(len(wanted), 'face')} for validation can be read; run `python -m clean`"
        )
    return together
