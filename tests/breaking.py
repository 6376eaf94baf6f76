"""Copies whose writing ends its process, fails, or never ends. A worker that unpickles them imports nothing else of the
tests, which would take of the time that a video has."""

import os
import time
from typing import Any

from visavis.prediction.copies import Copies


class Breaking(Copies):
    """Copies that take their process along at frame 10."""

    def write_frame(self, place: str, frame: int, *more: Any) -> None:
        super().write_frame(place, frame, *more)
        if frame == 10 and place.endswith("crashes.mp4"):
            os.abort()
        if frame == 10 and place.endswith("fails.mp4"):
            raise RuntimeError("so\nmany words")
        if frame == 10 and place.endswith("hangs.mp4"):
            time.sleep(600)
