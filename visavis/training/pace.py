"""How fast a training goes: what there is to tell of it, and when it is time to save."""

import time

TIMED = 20
"""Steps after which the time that is left can be told; the first few are slower than the others."""


class Pace:
    """How fast it goes, how much of the time is spent waiting for photos, and when to save again."""

    def __init__(self, save_every: float) -> None:
        self.save_every, self.saved = save_every, time.monotonic()
        self.first: list[float] = []
        """Seconds of each of the first `TIMED` steps."""

    def begin(self) -> None:
        """An epoch begins: the figures are its own."""
        self.begun = self.last = time.monotonic()
        self.waited, self.photos = 0.0, 0

    def loaded(self) -> None:
        """A batch has come."""
        self.waited += time.monotonic() - self.last

    def stepped(self, photos: int) -> bool:
        """A step with that many photos is done; whether the time that is left can be told now."""
        now = time.monotonic()
        told = len(self.first) == TIMED
        if not told:
            self.first.append(now - self.last)
        self.last, self.photos = now, self.photos + photos
        return len(self.first) == TIMED and not told

    def due(self) -> bool:
        """Whether to save now; if so, the next time is counted from here."""
        now = time.monotonic()
        if now - self.saved < self.save_every:
            return False
        self.saved = now
        return True

    def figures(self) -> dict[str, float]:
        """For the record."""
        spent = max(time.monotonic() - self.begun, 1e-9)
        return {"photos_per_second": self.photos / spent, "waiting_for_photos": self.waited / spent}

    def estimate(self, steps: int, validations: int) -> str:
        """How long it will take, from the latter part of the first steps."""
        latter = self.first[TIMED // 4 :]
        each = sum(latter) / len(latter)
        minutes = each * steps / 60
        left = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{minutes:.0f} minutes"
        left = left if minutes > 2 else f"{60 * minutes:.0f} seconds"
        return f"{each:.2f} s a step: {left} for the {steps} steps that are left, and {validations} validations"
