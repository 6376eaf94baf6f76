"""How large a picture goes into a network: the rule alone, for whoever runs it."""

import math
from dataclasses import dataclass, replace

COARSE = 160
"""Pixels of the shorter side of the coarse look of the light networks: a tenth of the work of their first look."""


@dataclass(frozen=True)
class Sizing:
    """A picture's shorter side is to have `shorter` pixels, but its longer one has `longest` at most, and it is never
    made larger than `enlarge` times. It is then padded to a multiple of `multiple` pixels either way.

    closer: how many times as large it is shown once more, where its faces turn out to be small; 1 is never.
    coarse: pixels of the shorter side of one look more, at little of a picture, for faces that fill it; 0 is never."""

    shorter: int
    longest: int
    enlarge: float = math.inf
    multiple: int = 32
    closer: float = 1.0
    coarse: int = 0

    def size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in the network. In whole numbers, so that every program comes to the same pixels."""
        return self._side(height, height, width), self._side(width, height, width)

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of what goes through the network."""
        down, across = (-(-side // self.multiple) * self.multiple for side in self.size(height, width))
        return down, across

    def resized(self, shorter: int) -> "Sizing":
        """The same for another shorter side, which every picture then has: small ones are enlarged. The longest grows
        and shrinks with it."""
        return replace(self, shorter=shorter, longest=self.longest * shorter // self.shorter, enlarge=math.inf)

    def once(self) -> "Sizing":
        """The same for a single look."""
        return replace(self, closer=1.0, coarse=0)

    def closely(self) -> "Sizing":
        """That of the closer look."""
        larger = self.resized(int(self.shorter * self.closer)).once()
        return replace(larger, enlarge=self.enlarge * self.closer)

    def coarsely(self) -> "Sizing":
        """That of the coarse look."""
        return self.resized(self.coarse).once()

    def _side(self, side: int, height: int, width: int) -> int:
        sizes = [side * self.shorter // min(height, width), side * self.longest // max(height, width)]
        if self.enlarge != math.inf:
            sizes.append(math.floor(side * self.enlarge))
        return max(1, min(sizes))
