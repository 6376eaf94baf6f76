"""What windows a judge of windows is shown, in training as in use; nothing here loads torch."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from visavis.detectors.sliding_window.windows import Layer, Size, layers, sizes_of, step_of, text_of

SIZES = "40x28,61x43,93x65,142x99,216x151,330x231"
"""A ladder of half octaves. Of the faces of 800 photos of at most 450 pixels a side, 99 % have a window of IoU 0.5 or
more at strides of 25 % (`python -m dataset windows search`)."""

FACES, OTHERS = 16, 48
"""Windows of a photo that an epoch shows, at most: with a face, and without, half of these near one. Each epoch draws
anew, for a photo has thousands, and neighbours are much alike."""


@dataclass(frozen=True)
class Design:
    """sizes: of the windows, HEIGHTxWIDTH in pixels of a photo that was reduced to `longest` pixels a side, if larger.
    stride: percent of a window from one to the next. alpha: weight of the faces in the loss, 0 to 1. dense: pixels of
    the scaled picture from one answer of the network to the next, where it takes whole pictures; 0: it takes single
    windows."""

    sizes: str = SIZES
    stride: float = 30.0
    alpha: float = 0.35
    dense: int = 0
    longest: int = 450

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> Self:
        """From what `plain` gave."""
        return cls(**metadata)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def other(self, **given: Any) -> Self:
        """With other values; None leaves one as it is. Raises InputError for sizes that are none."""
        made = replace(self, **{name: value for name, value in given.items() if value is not None})
        return replace(made, sizes=text_of(sizes_of(made.sizes)))

    def layers(self, size: Size) -> list[Layer]:
        """The windows over a picture of (height, width) `size`."""
        return layers(size, sizes_of(self.sizes), step_of(self.stride))


DESIGNS = {
    "window_cnn": Design(),
    "window_cnn_small": Design(stride=12.5, dense=4),
    "window_trees": Design(stride=25, dense=8),
}
