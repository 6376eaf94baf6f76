"""The rule for the size at which a network takes pictures, for every back end."""

import math
from dataclasses import dataclass, replace

COARSE = 160
"""Shorter side of the coarse look of the light networks, in pixels: a tenth of the work of their first look."""
CLOSEST = 1920
"""The most pixels of a picture's shorter side in the closer look, unless the first one has more: it takes gigabytes."""
TWICE, THRICE = 456, 684
"""The closer look enlarges a picture whose shorter side has so many pixels no more than twice or three times, one
between them in proportion, smaller and larger ones as these, unless the first look enlarges it further. Photos of few
pixels have mostly been compressed: enlarged further, they show more that looks like faces."""


@dataclass(frozen=True)
class Sizing:
    """A picture is scaled so that its shorter side has `shorter` pixels, but its longer one at most `longest`, and by
    no more than `enlarge`. It is then padded to a multiple of `multiple` pixels in each direction.

    closer: the factor of a second, closer look if faces turn out to be small; 1: there is none.
    coarse: pixels of the shorter side of another look, at low resolution, for faces that fill a picture; 0: none."""

    shorter: int
    longest: int
    enlarge: float = math.inf
    multiple: int = 32
    closer: float = 1.0
    coarse: int = 0

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in the network. In integer arithmetic, so that every back end gets the same pixels."""
        return self._side(height, height, width), self._side(width, height, width)

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) with the padding."""
        down, across = (-(-side // self.multiple) * self.multiple for side in self.size(height, width))
        return down, across

    def resized(self, shorter: int) -> "Sizing":
        """The rule for another shorter side, to which small pictures are enlarged. `longest` changes in proportion."""
        return replace(self, shorter=shorter, longest=self.longest * shorter // self.shorter, enlarge=math.inf)

    def once(self) -> "Sizing":
        """The rule for a single look."""
        return replace(self, closer=1.0, coarse=0)

    def closely(self, height: int, width: int) -> "Sizing":
        """The rule of the closer look at a picture of this size."""
        larger = self.resized(max(self.shorter, min(int(self.shorter * self.closer), CLOSEST))).once()
        enlarge = 2 * min(max(min(height, width), TWICE), THRICE) / TWICE
        return replace(larger, enlarge=max(self.enlarge, enlarge))

    def coarsely(self) -> "Sizing":
        """The rule of the coarse look."""
        return self.resized(self.coarse).once()

    def _side(self, side: int, height: int, width: int) -> int:
        sizes = [side * self.shorter // min(height, width), side * self.longest // max(height, width)]
        if self.enlarge != math.inf:
            sizes.append(math.floor(side * self.enlarge))
        return max(1, min(sizes))
