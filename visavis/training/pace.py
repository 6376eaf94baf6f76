"""The speed of a training, the time that remains, and when to save."""

import time

from visavis.messages import counted

TIMED = 20
"""Steps after which the remaining time is estimated; the first few are slower than the others."""


class Pace:
    """Measures photos per second and the share of time spent waiting for photos, and says when to save again."""

    def __init__(self, save_every: float) -> None:
        self.save_every, self.saved = save_every, time.monotonic()
        self.first: list[float] = []
        """Seconds of each of the first `TIMED` steps."""

    def begin(self) -> None:
        """Begin an epoch, and count its figures from zero."""
        self.begun = self.last = time.monotonic()
        self.waited, self.photos = 0.0, 0

    def loaded(self) -> None:
        """Note that a batch was loaded."""
        self.waited += time.monotonic() - self.last

    def stepped(self, photos: int) -> bool:
        """Note that a step with that many photos is done. Returns True once: when `estimate` is first possible."""
        now = time.monotonic()
        timed = len(self.first) == TIMED
        if not timed:
            self.first.append(now - self.last)
        self.last, self.photos = now, self.photos + photos
        return len(self.first) == TIMED and not timed

    def due(self) -> bool:
        """Whether to save now. If so, the interval begins again."""
        now = time.monotonic()
        if now - self.saved < self.save_every:
            return False
        self.saved = now
        return True

    def figures(self) -> dict[str, float]:
        """The figures that metrics.jsonl records."""
        spent = max(time.monotonic() - self.begun, 1e-9)
        return {"photos_per_second": self.photos / spent, "waiting_for_photos": self.waited / spent}

    def estimate(self, steps: int, validations: int) -> str:
        """How long the rest will take, judged by the later ones of the first steps."""
        latter = self.first[TIMED // 4 :]
        each = sum(latter) / len(latter)
        minutes = each * steps / 60
        left = f"{minutes / 60:.1f} hours" if minutes > 90 else f"{minutes:.0f} minutes"
        left = left if minutes > 2 else f"{60 * minutes:.0f} seconds"
        return (
            f"{each:.2f} s per step: {left} for the remaining {counted(steps, 'step')}, and "
            f"{counted(validations, 'validation')}"
        )
