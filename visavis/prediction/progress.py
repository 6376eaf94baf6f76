"""Progress bars on the terminal: one for all inputs, and below it one for the video that is being searched."""

import os
from typing import Self

from tqdm import tqdm

NARROW = 60
"""A terminal of fewer columns has no room for numbers of frames beside a name and the time left."""


class Bars:
    """Use as a context manager. total: the number of inputs. done: how many of them an earlier run has done."""

    def __init__(self, total: int, done: int, videos: bool) -> None:
        # With videos, inputs per second mean nothing; each video has a bar of its frames instead.
        layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}]" if videos else None
        self._bar = tqdm(total=total, initial=done, unit="photo", bar_format=layout, disable=None)
        self._frames: tqdm | None = None
        self._path = ""

    def update(self) -> None:
        """One more input is done."""
        self._bar.update()

    def frames(self, path: str, done: int, expected: int | None) -> None:
        """So many frames of the video are done. expected: about how many it has, as far as is known by now."""
        if self._frames is None or path != self._path:
            self._close_frames()
            columns = (not self._bar.disable and self._bar.ncols) or 80
            numbers = "" if columns < NARROW else "{n_fmt}/{total_fmt} frames, "
            layout = "{l_bar}{bar}| " + numbers + "{remaining} left"
            name = _shortened(os.path.basename(path), columns // 3)
            self._layouts = {True: layout, False: "{desc}: {n_fmt} frames [{elapsed}]"}
            now = self._layouts[expected is not None]
            self._frames = tqdm(desc=name, total=expected, bar_format=now, position=1, leave=False, disable=None)
            self._path = path
        self._frames.total, self._frames.bar_format = expected, self._layouts[expected is not None]
        self._frames.update(done - self._frames.n)

    def close(self) -> None:
        """Close the bars."""
        self._close_frames()
        self._bar.close()

    def _close_frames(self) -> None:
        if self._frames is not None:
            self._frames.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _shortened(name: str, most: int) -> str:
    """The name without its middle if it is longer than that: it must not push the time left off the terminal."""
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}\u2026{name[-(most // 2) :]}"
