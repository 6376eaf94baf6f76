"""How fast the live page is, compared with a usual face page on the same pictures: `python -m benchmarks.live PHOTO`.

`visavis serve` and a headless Chromium with a simulated camera of 640 x 480 pixels: answers per second, and
milliseconds from taking a frame to drawing the faces in it, as the page counts them. Then a plain loop as in Flask
pages: a Haar cascade, one MobileNetV2 call for each face, boxes drawn, the picture encoded as JPEG; alone, with the
whole machine to itself, and as such a page, where the same browser shows what the loop sends it. Of the first two, CPU
time, too, which depends less on what else the machine does. The figures are in benchmarks/results/live.json.
"""

import http.server
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from visavis import images
from visavis.commands.commandline import Duration, main
from visavis.cores import cores
from visavis.errors import InputError
from visavis.images import Picture
from visavis.messages import say

HEIGHT, WIDTH, FRAMES = 480, 640, 25


@dataclass
class Options:
    """Measure the live page in a browser, and a plain loop and its page beside it."""

    photo: tyro.conf.Positional[Path]
    """A photo with at least one face, over which the simulated camera moves."""
    analyse: str = ""
    """The analysers that the page asks for, separated by commas."""
    detail: Literal["640", "480", "320"] = "640"
    """Pixels of a frame's longer side, as the page sends it."""
    seconds: Duration = 20.0
    """How long each is measured."""
    chromium: str = "chromium"
    """The browser: a command or a path."""
    out: Path = Path("benchmarks/results/live.json")
    """File for the figures, as JSON."""


def measure(options: Options) -> int:
    """Measure them one after the other, and write the figures. Raises InputError without a browser."""
    browser = shutil.which(options.chromium)
    if browser is None:
        raise InputError(f"no browser {options.chromium}; give another as --chromium")
    pictures = moving(images.read(options.photo))
    with tempfile.TemporaryDirectory() as folder:
        camera = made_camera(Path(folder) / "camera.y4m", pictures)
        page = _page(options, browser, camera)
    loop, shown = _plain_loop(pictures, options.seconds), _plain_page(pictures, options.seconds, browser)
    figures = {"cores": cores(), "load_before": _LOAD, "page": page, "plain_loop": loop, "plain_page": shown}
    for name, plain in (("times_the_loop", loop), ("times_its_page", shown)):
        figures[name] = round(page["answers_a_second"] / plain["frames_a_second"], 2)
    options.out.write_text(json.dumps(figures, indent=1) + "\n")
    say(json.dumps(figures))
    return 0


_LOAD = round(os.getloadavg()[0], 2)


def moving(photo: Picture) -> list[Picture]:
    """A second of video: the photo, 480 pixels high, moving by a pixel a frame in front of grey."""
    small = images.resize(photo, (HEIGHT, max(1, min(WIDTH - FRAMES, round(photo.shape[1] * HEIGHT / photo.shape[0])))))
    pictures = []
    for number in range(FRAMES):
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        picture[:, number : number + small.shape[1]] = small
        pictures.append(picture)
    return pictures


def made_camera(path: Path, pictures: list[Picture]) -> Path:
    """A file that Chromium uses as a camera of 30 frames per second."""
    import av

    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F30:1 Ip A1:1 C420jpeg\n" % (WIDTH, HEIGHT))
        for picture in pictures:
            planes = av.VideoFrame.from_ndarray(picture, format="rgb24").to_ndarray(format="yuv420p")
            file.write(b"FRAME\n" + planes.tobytes())
    return path


@contextmanager
def served(*words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The address of a server with these options, and its process, until the block ends."""
    command = [sys.executable, "-m", "visavis", "serve", "--port", "0", "--no-browser", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"the page is at (\S+)", line):
                yield found[1], process
                return
        raise InputError("visavis serve did not start")
    finally:
        process.kill()
        process.wait()


def _page(options: Options, browser: str, camera: Path) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    arguments = ["--no-sandbox", "--disable-gpu", *fake, f"--use-file-for-fake-video-capture={camera}"]
    with served("--analyse", options.analyse) as (url, server), sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=browser, args=arguments)
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        for box in page.query_selector_all("#analysers input"):
            box.check(force=True)
        page.select_option("#detail", options.detail)
        page.click("#start")
        page.wait_for_selector("#stats:not([hidden])")
        page.wait_for_timeout(3000)  # the first answers load what is needed
        count = "Number(document.documentElement.dataset.answers)"
        before, began = page.evaluate(count), time.perf_counter()
        busy = {"server": cpu_seconds(server.pid), "browser": -cpu_seconds(server.pid) + cpu_seconds(os.getpid())}
        delays, networks = [], []
        while time.perf_counter() < began + options.seconds:
            page.wait_for_timeout(200)
            delays.append(_number(page, "#delay"))
            networks.append(_number(page, "#network"))
        answers, seconds = page.evaluate(count) - before, time.perf_counter() - began
        busy["server"] = cpu_seconds(server.pid) - busy["server"]
        busy["browser"] = cpu_seconds(os.getpid()) - cpu_seconds(server.pid) - busy["browser"]
        faces = page.text_content("#count")
        chromium.close()
    return {
        "answers_a_second": round(answers / seconds, 1),
        "delay_ms": statistics.median(delays),
        "network_ms": statistics.median(networks),
        "cpu_ms_an_answer": {name: round(1000 * one / answers, 1) for name, one in busy.items()},
        "faces": faces,
        "analyse": options.analyse,
        "detail": int(options.detail),
    }


def cpu_seconds(process: int) -> float:
    """CPU time of a process and of all that it started and that still runs."""
    import psutil

    family = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
    total = 0.0
    for one in family:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            used = one.cpu_times()
            total += used.user + used.system
    return total


def _number(page: Any, selector: str) -> int:
    return int(page.text_content(selector).split()[0])


def _plain_frames(pictures: list[Picture]) -> Iterator[tuple[bytes, int]]:
    """The loop without end: each frame as JPEG, with boxes drawn, and how many faces the cascade found in it."""
    import cv2
    import torch
    from torchvision.models import mobilenet_v2

    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    network = mobilenet_v2(weights=None).eval()  # its time depends on its size, and not on its weights
    frames = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in pictures]
    for original in itertools.cycle(frames):
        frame = original.copy()
        faces = cascade.detectMultiScale(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), 1.1, 5, minSize=(60, 60))
        for x, y, width, height in faces:
            face = cv2.resize(frame[y : y + height, x : x + width], (224, 224))
            with torch.inference_mode():
                network(torch.from_numpy(face).permute(2, 0, 1)[None].float() / 127.5 - 1)
            cv2.rectangle(frame, (x, y), (x + width, y + height), (0, 255, 0), 2)
        yield cv2.imencode(".jpg", frame)[1].tobytes(), len(faces)


def _plain_loop(pictures: list[Picture], seconds: float) -> dict[str, Any]:
    frames = _plain_frames(pictures)
    next(frames)  # the first loads what is needed
    began, busy, found = time.perf_counter(), time.process_time(), []
    for _, faces in frames:
        found.append(faces)
        if time.perf_counter() > began + seconds:
            break
    taken, busy, done = time.perf_counter() - began, time.process_time() - busy, len(found)
    return {
        "frames_a_second": round(done / taken, 1),
        "faces_a_frame": round(sum(found) / done, 2),
        "cpu_ms_a_frame": round(1000 * busy / done, 1),
    }


def _plain_page(pictures: list[Picture], seconds: float, browser: str) -> dict[str, Any]:
    """The loop as a page: <img> of an endless answer, whose parts are the frames (multipart/x-mixed-replace)."""
    from playwright.sync_api import sync_playwright

    times: list[float] = []

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with suppress(ConnectionError):  # the browser has gone
                for jpeg, _ in _plain_frames(pictures):
                    self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
                    times.append(time.perf_counter())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is said of a request."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server, sync_playwright() as started:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = started.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        page.set_content(f'<img src="http://127.0.0.1:{server.server_port}/video_feed">')
        page.wait_for_function("document.images[0].naturalWidth")
        page.wait_for_timeout(3000)
        began = time.perf_counter()
        page.wait_for_timeout(1000 * seconds)
        taken = time.perf_counter() - began
        done = sum(began <= one <= began + taken for one in times)
        chromium.close()
        server.shutdown()
    return {"frames_a_second": round(done / taken, 1)}


if __name__ == "__main__":
    main(measure, Options)
