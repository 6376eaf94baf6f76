"""The WebSocket of live frames where its time limits matter: a slow look, and a client that says nothing more."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clips import clip

pytest.importorskip("starlette")

from visavis.live import frames
from visavis.live.asking import Ask
from visavis.live.camera import Camera
from visavis.live.turns import Turns
from visavis.prediction.records import Record
from visavis.video.recording import Video


class Line:
    """A WebSocket whose client sends one frame and then nothing. heard: what it is sent. closed: with which code."""

    def __init__(self) -> None:
        self.sent, self.heard, self.closed = [{"type": "websocket.receive", "bytes": b"frame"}], [], None

    async def accept(self) -> None:
        """Nothing to do."""

    async def receive(self) -> dict[str, Any]:
        if not self.sent:
            await asyncio.Event().wait()
        return self.sent.pop()

    async def send_json(self, answer: dict[str, Any]) -> None:
        self.heard.append(answer)

    async def close(self, code: int, reason: str = "") -> None:
        self.closed = code


class Slow:
    """A looker that takes three times as long as a client may be silent."""

    def ask(self, words: dict[str, str]) -> Ask:
        return Ask("slow", 0.5)

    def watching(self) -> Any:
        return SimpleNamespace(following=SimpleNamespace(due=True), classes=[], shapes=[])

    def frame(self, data: bytes, ask: Ask, watching: Any) -> Record:
        time.sleep(3 * frames.IDLE)
        return Record("frame", "ok", "", 640, 480)


def test_a_client_that_waits_for_a_slow_look_is_not_taken_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "IDLE", 0.2)
    line = Line()

    async def served() -> None:
        await asyncio.wait_for(frames.Frames(Slow(), Turns(1)).serve(line), 60)  # type: ignore[bad-argument-type]

    asyncio.run(served())
    (answer,) = line.heard
    assert answer["frame"] == 1 and answer["faces"] == [] and answer["due"] is True and answer["seconds"] > 0.5
    assert line.closed == 1000  # nothing has come since the answer


class Broken:
    """A looker in which something is wrong."""

    def faces(self, picture: Any, ask: Ask) -> None:
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_viewers_of_the_servers_camera_do_not_wait_for_pictures_that_will_not_come(tmp_path: Path) -> None:
    film = clip(tmp_path / "film.mp4", range(0, 400, 40), sound=None)

    async def viewed() -> list[bytes]:
        camera: Any = Camera(lambda: Video(str(film), 10**8), Broken())
        stream = camera.response(Ask("shipped", 0.5)).body_iterator
        return [picture async for picture in stream]

    assert asyncio.run(asyncio.wait_for(viewed(), 30)) == []


class Bare(Video):
    """A camera that can be opened, and hangs up before its first picture."""

    opened = 0

    def __init__(self, path: str) -> None:
        super().__init__(path)
        Bare.opened += 1

    def parts(self) -> Iterator[Any]:
        return iter(())


def test_a_camera_without_a_picture_is_not_opened_again_and_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = clip(tmp_path / "film.mp4", range(0, 400, 40), sound=None)

    async def viewed() -> list[bytes]:
        stream = Camera(lambda: Bare(str(film)), Broken()).response(Ask("shipped", 0.5)).body_iterator  # type: ignore[bad-argument-type]
        return [picture async for picture in stream]  # type: ignore[bad-return]

    assert asyncio.run(asyncio.wait_for(viewed(), 30)) == []
    assert Bare.opened == 1 and "the camera gives no more pictures: empty" in capsys.readouterr().err
