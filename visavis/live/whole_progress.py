"""One progress for all files of a request: the frames of its videos, and each photo as one frame."""

from collections.abc import Sequence

from visavis.errors import ImageError
from visavis.prediction.records import crashed
from visavis.prediction.videos import Progress
from visavis.sources import Input
from visavis.video.recording import Video
from visavis.workers import WorkerDied, Workers


class WholeProgress:
    """inputs: in the order in which they are worked on. said: is called with a file's path, how many frames of all
    files are done, and about how many there are, if all files say so. Workers look into the videos for that."""

    def __init__(self, inputs: Sequence[Input], workers: Workers, max_pixels: int, said: Progress) -> None:
        asked = [workers.submit(_expected, one.path, max_pixels) if one.is_video else None for one in inputs]
        self._frames: list[int | None] = [1] * len(inputs)
        for number, one in enumerate(asked):
            if one is not None:
                try:
                    self._frames[number] = one.result()
                except (ImageError, WorkerDied):  # its record will say why; it counts as one frame
                    continue
        self._said, self._places = said, {one.path: number for number, one in enumerate(inputs)}
        self._within: dict[int, int] = {}

    def frame(self, path: str, done: int, expected: int | None) -> None:
        """So many frames of a video are done, of about `expected`."""
        number = self._places[path]
        self._within[number] = done
        if expected is not None:
            self._frames[number] = expected
        self._say(path, sum(self._count(one) for one in range(number)) + done)

    def file(self, path: str) -> None:
        """A file is done."""
        number = self._places[path]
        self._frames[number] = self._count(number)
        self._say(path, sum(self._count(one) for one in range(number + 1)))

    def _count(self, number: int) -> int:
        """Frames of a file that is done."""
        return self._frames[number] or self._within.get(number, 1)

    def _say(self, path: str, done: int) -> None:
        known = [frames for frames in self._frames if frames is not None]
        self._said(path, done, sum(known) if len(known) == len(self._frames) else None)


def _expected(path: str, max_pixels: int) -> int | None:
    """In a worker: about how many frames a video has, if its file says so."""
    try:
        with Video(path, max_pixels) as video:
            return video.expected(0, 0)
    except ImageError:
        raise
    except Exception as error:  # any failure of a decoder concerns this video alone
        raise crashed(path, error) from error
