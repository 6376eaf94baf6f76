"""Deinterlacing: the two fields of an interlaced frame are moments apart, which shows as combs where things move.

A face with a comb is harder to find, and a copy would keep the comb without the flag that tells players to remove it.
The filter is FFmpeg's bwdif (motion-adaptive, with the weights of BBC R&D's White Paper 007): one frame for each frame,
at its time. Progressive frames pass through it unchanged.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any


class Deinterlacer:
    """Takes decoded frames (av.VideoFrame, with `pts` and `time_base`) and returns them without combs, in order.

    Up to the first interlaced frame each is returned at once, from then on one frame late.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._kind: object = None
        self._unit = Fraction(1)

    def frames(self, frame: Any) -> Iterator[Any]:
        """Add `frame`; the frames that are then ready."""
        kind = frame.width, frame.height, frame.format.name
        if self._graph is not None and kind != self._kind:
            yield from self.rest()
        if self._graph is None and not frame.interlaced_frame:
            yield frame
            return
        if self._graph is None:
            self._graph, self._kind, self._unit = _graph(frame), kind, frame.time_base
        self._graph.vpush(frame)
        yield from self._pulled()

    def rest(self) -> Iterator[Any]:
        """The frames that remain at the end."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()
            self._graph = None

    def _pulled(self) -> Iterator[Any]:
        import av

        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            frame.pts, frame.time_base = (
                round(frame.pts * frame.time_base / self._unit),
                self._unit,
            )  # it halves units
            yield frame


def _graph(frame: Any) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    how = {"width": frame.width, "height": frame.height, "format": frame.format, "time_base": frame.time_base}
    graph.link_nodes(
        graph.add_buffer(**how), graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    ).configure()
    return graph
