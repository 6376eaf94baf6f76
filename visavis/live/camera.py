"""The server's camera as MJPEG: one capture for all who watch, begun by the first and ended by the last."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from starlette.responses import Response, StreamingResponse

from visavis import images
from visavis.drawing import boxes_on
from visavis.effects.filters import Filters
from visavis.effects.redaction import Redaction
from visavis.errors import ImageError, InputError
from visavis.images import Picture
from visavis.live.asking import Ask
from visavis.live.looking import Looker
from visavis.live.steady import Steady
from visavis.live.turns import Busy
from visavis.messages import say
from visavis.prediction.analysis import captions, colours
from visavis.prediction.filtering import Filtering
from visavis.prediction.records import reported
from visavis.video import recording
from visavis.video.recording import Frame, Video

QUALITY = 80
VIEWERS = 16
"""At once."""
_BEGIN = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def opener(source: str, max_pixels: int) -> Callable[[], Video]:
    """What opens a camera by its number or its RTSP address, or a video file. Raises InputError if it cannot be."""
    if Path(source).is_file():

        def opened() -> Video:
            return Video(source, max_pixels)
    elif not source.startswith(recording.RTSP) and ("/" in source or Path(source).suffix.lower() in recording.SUFFIXES):
        raise InputError(
            f"`camera` {source}: no such file; give a video file, the number of a camera, or an address that begins "
            f"with {recording.RTSP[0]}"
        )
    else:
        camera = recording.Camera.of(source, "camera")

        def opened() -> Video:
            return Video.camera(camera, max_pixels)

    try:
        with opened():
            return opened
    except ImageError as error:
        raise InputError(f"`camera` {source} cannot be read: {error}; give another") from None


class Camera:
    """A source of pictures with faces. opened: what opens it anew; a file begins again at its end."""

    def __init__(self, opened: Callable[[], Video], looker: Looker) -> None:
        self._opened, self._looker = opened, looker
        self._wanted: Counter[Ask] = Counter()
        self._shown: dict[Ask, bytes] = {}
        self._steady: dict[Ask, Steady] = {}
        self._newest: Picture | None = None
        self._came = threading.Event()
        self._changed = asyncio.Condition()
        self._running = False
        self._looking = False

    def response(self, ask: Ask) -> Response:
        """Pictures with boxes, or redacted, one after the other until the client leaves. Raises Busy."""
        if self._wanted.total() >= VIEWERS:
            raise Busy
        return StreamingResponse(self._pictures(ask), media_type="multipart/x-mixed-replace; boundary=frame")

    async def _pictures(self, ask: Ask) -> AsyncIterator[bytes]:
        self._wanted[ask] += 1
        if not self._running:
            self._begin()
        try:
            while True:
                async with self._changed:
                    await self._changed.wait()
                if not self._running:
                    return
                if (picture := self._shown.get(ask)) is not None:
                    yield _BEGIN % len(picture) + picture + b"\r\n"
        finally:
            self._wanted[ask] -= 1
            if not self._wanted[ask]:
                del self._wanted[ask]

    def _begin(self) -> None:
        self._running = self._looking = True
        self._came.clear()
        loop = asyncio.get_running_loop()
        for work in (self._read, self._look):
            threading.Thread(target=work, args=(loop,), daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: the newest picture, at the pace at which they are shown."""
        failed = False
        try:
            while self._wanted and self._looking:
                with self._opened() as video:
                    began, came = time.monotonic(), False
                    for part in video.parts():
                        if not (self._wanted and self._looking):
                            return
                        if isinstance(part, Frame):
                            if not video.is_camera:
                                time.sleep(max(0, began + part.seconds - time.monotonic()))
                            self._newest, came = part.picture, True
                            self._came.set()
                    if not came:  # it would be opened again and again
                        raise ImageError("empty", "it was opened, and had no picture")
        except (ImageError, InputError) as error:
            say(f"the camera gives no more pictures: {error}")
            failed = True
        finally:
            failed |= not self._looking
            self._newest = None
            self._came.set()
            asyncio.run_coroutine_threadsafe(self._end(failed), loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: what each of those who watch asked for, of the newest picture. What goes wrong here ends the
        reading, too, so that nobody waits for pictures that will not come."""
        try:
            while self._came.wait() and (picture := self._newest) is not None:
                self._came.clear()
                wanted = list(self._wanted)
                self._steady = {ask: self._steady.get(ask, Steady()) for ask in wanted}
                shown = {ask: self._drawn(picture, ask) for ask in wanted}
                asyncio.run_coroutine_threadsafe(self._publish(shown), loop).result()
        finally:
            self._looking = False

    def _drawn(self, picture: Picture, ask: Ask) -> bytes:
        steady, now = self._steady[ask], time.monotonic()
        faces = self._looker.faces(picture, ask, steady, now)
        if ask.redact:
            return images.encode(Redaction(ask.redact)(picture, faces), quality=QUALITY)
        faces = faces[reported(faces, ask.min_size, ask.threshold)]
        if ask.filter and len(faces):
            filtering = Filtering(Filters(ask.filter))
            drawn = filtering.filters(picture, steady.pointed(faces, now, partial(filtering.pointed, picture)))
        else:
            drawn = boxes_on(picture, faces, texts=captions(faces), own=colours(faces))
        return images.encode(drawn, quality=QUALITY)

    async def _publish(self, shown: dict[Ask, bytes]) -> None:
        async with self._changed:
            self._shown = shown
            self._changed.notify_all()

    async def _end(self, failed: bool) -> None:
        async with self._changed:
            self._running, self._shown = False, {}
            if self._wanted and not failed:  # somebody came just when the last one had left
                self._begin()
            self._changed.notify_all()
