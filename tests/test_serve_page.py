"""The page of `visavis serve` in a real browser, in front of a made camera: it finds, draws, redacts, and lets go."""

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import skimage.data
from browser import Opened, chromium, opened
from clips import clip
from PIL import Image
from server import Served, served

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

LEFT = 40
"""Where the astronaut's photo begins in the camera's pictures, at its full size; the face is at 179, 62, 270, 178."""
FACE = LEFT + 179, 62, LEFT + 270, 178


def made_camera(path: Path) -> Path:
    """A file that Chromium takes for its camera: 640 x 480, the astronaut at the left, in front of grey."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    picture[:, LEFT : LEFT + 512] = skimage.data.astronaut()[:480]
    planes = av.VideoFrame.from_ndarray(picture, format="rgb24").to_ndarray(format="yuv420p")
    frame = b"FRAME\n" + planes.tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F25:1 Ip A1:1 C420jpeg\n" + 5 * frame)
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    film = clip(tmp_path_factory.mktemp("film") / "film.mp4", sound=None)
    with served("--workers", "1", "--analyse", "sharpness", "--camera", str(film)) as one:
        yield one


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    camera = made_camera(tmp_path_factory.mktemp("camera") / "camera.y4m")
    fake = "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"
    with chromium(*fake, f"--use-file-for-fake-video-capture={camera}") as one:
        yield one


@pytest.fixture
def seen(server: Served, browser: Any) -> Iterator[Opened]:
    """The page; at the end nothing was wrong in its console, and nobody else was asked."""
    one = opened(browser, server.url)
    one.page.set_default_timeout(120_000)
    yield one
    one.page.close()
    assert one.errors == []
    assert [url for url in one.requests if not url.startswith((server.base, "blob:" + server.base))] == []


def until(page: Any, true: str) -> None:
    """Wait until an expression is true. (The page's policy forbids Playwright's own waiting.)"""
    for _ in range(2400):
        if page.evaluate(true):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true in two minutes: {true}")


def answers(page: Any, more: int = 2) -> None:
    """Wait for so many more answers to frames."""
    before = page.evaluate("Number(document.documentElement.dataset.answers ?? 0)")
    until(page, f"Number(document.documentElement.dataset.answers ?? 0) >= {before + more}")


def canvas(page: Any) -> np.ndarray:
    """What is drawn over the picture, or instead of it: (height, width, 4) uint8."""
    address = page.evaluate("document.querySelector('#canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA"))


def test_boxes_appear_on_the_mirrored_face_with_what_is_said_of_it(seen: Opened) -> None:
    page = seen.page
    page.click("#start")
    answers(page)
    assert page.text_content("#count") == "1 face" and "ms delay" in page.text_content("#delay")
    drawn = canvas(page)
    assert drawn.shape == (480, 640, 4)
    rows, columns = np.nonzero(drawn[:, :, 3] > 200)
    x1, y1, x2, y2 = FACE
    mirrored = 640 - x2, 640 - x1
    assert abs(columns.min() - mirrored[0]) < 12 and abs(rows.max() - y2) < 12
    assert drawn[y1 + 30 : y2 - 30, mirrored[0] + 20 : mirrored[1] - 20, 3].max() == 0  # the face itself is free
    page.keyboard.press("m")
    page.check("#analysers input", force=True)
    answers(page, 3)
    rows, columns = np.nonzero(canvas(page)[:, :, 3] > 200)
    assert abs(columns.min() - x1) < 12
    assert columns.max() > x2 + 12  # the caption says more now


def test_live_redaction_shows_nothing_of_the_face(seen: Opened) -> None:
    page = seen.page
    page.click("#start")
    page.keyboard.press("m")
    for key, effect in (("4", "fill"), ("3", "pixelate"), ("2", "blur")):
        page.keyboard.press(key)
        answers(page, 3)
        picture = canvas(page)
        x1, y1, x2, y2 = FACE
        face = picture[y1:y2, x1:x2, :3].astype(int)
        steps = np.abs(np.diff(face, axis=1)).max(axis=2)
        if effect == "fill":
            assert face.max() < 10
        elif effect == "pixelate":
            assert (steps > 6).any(axis=0).sum() <= 4  # the columns where one average meets the next
        else:
            assert steps.max() < 12
        assert np.abs(np.diff(picture[300:, x1:x2, :3].astype(int), axis=1)).max() > 60  # the rest is as it was
        assert page.evaluate("getComputedStyle(document.querySelector('#video')).visibility") == "hidden"


def test_another_detector_brings_its_own_threshold_and_finds_the_face_live(seen: Opened) -> None:
    page = seen.page
    assert page.eval_on_selector_all("#detector option", "all => all.map(one => one.textContent)") == [
        "Faster R-CNN", "One face", "Sliding window", "Viola and Jones",
    ]  # fmt: skip
    assert page.text_content("#threshold-value") == "0.55"
    page.click("#start")
    page.select_option("#detector", "viola_jones")
    until(page, "document.querySelector('#threshold-value').textContent === '0.36'")
    assert "Haar-like features" in page.text_content("#detector-says")
    answers(page, 3)
    assert page.text_content("#count") == "1 face"
    page.keyboard.press("4")
    assert page.text_content("#detector-says").endswith("Only what this detector finds is redacted.")
    answers(page, 3)
    x1, y1, x2, y2 = FACE
    mirrored = canvas(page)[y1 + 20 : y2 - 10, 640 - x2 + 10 : 640 - x1 - 10, :3]
    assert mirrored.max() < 10


def test_filters_are_drawn_over_the_live_face_and_into_copies(seen: Opened, tmp_path: Path) -> None:
    page = seen.page
    assert page.is_hidden("#filters")
    page.click("#start")
    page.keyboard.press("m")
    page.keyboard.press("6")
    page.check("#filters [value=nose]", force=True)
    page.uncheck("#filters [value=glasses]", force=True)
    answers(page, 3)
    drawn = canvas(page)
    rows, columns = np.nonzero(drawn[:, :, 3] > 200)
    assert abs(columns.mean() - (LEFT + 225)) < 6 and abs(rows.mean() - 128) < 6
    assert 15 < np.ptp(columns) < 35 and drawn[rows, columns, 0].mean() > 180 > 80 > drawn[rows, columns, 1].mean()
    assert page.evaluate("getComputedStyle(document.querySelector('#video')).visibility") == "visible"
    page.click("#filters [value=nose]", force=True)
    assert page.is_checked("#filters [value=nose]")  # one of them stays
    photo = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    page.set_input_files("#choose", [photo])
    until(page, "document.querySelectorAll('article .download:not([hidden])').length == 1")
    with page.expect_download() as saving:
        page.click("article .download")
    assert saving.value.suggested_filename == "photo-filter.jpg"
    copy = np.asarray(Image.open(saving.value.path()).convert("RGB"))
    assert copy[120:136, 218:232, 0].mean() > 180 > 80 > copy[120:136, 218:232, 1].mean()


def test_the_camera_stops_on_the_button_and_when_the_page_goes(seen: Opened, server: Served) -> None:
    page = seen.page
    track = "document.querySelector('#video').srcObject.getVideoTracks()[0]"
    page.click("#start")
    answers(page)
    page.evaluate(f"window.track = {track}")
    page.click("#stop")
    assert page.evaluate("window.track.readyState") == "ended" and page.is_visible("#welcome")
    page.keyboard.press(" ")
    answers(page)
    remember = "sessionStorage.setItem('track', track.readyState)"
    page.evaluate(f"{{ const track = {track}; addEventListener('pagehide', () => {remember}) }}")
    page.goto(server.base + "/docs")
    assert page.evaluate("sessionStorage.getItem('track')") == "ended"
    assert page.text_content("h1") == "The HTTP API"


def test_a_start_that_is_overtaken_leaves_no_camera_on(seen: Opened) -> None:
    page = seen.page
    page.evaluate(
        """{ const devices = navigator.mediaDevices, ask = devices.getUserMedia.bind(devices); window.streams = [];
        devices.getUserMedia = async wanted => {
            const stream = await ask(wanted);
            await new Promise(done => setTimeout(done, 300));
            window.streams.push(stream);
            return stream;
        }; 0 }"""
    )
    live = "window.streams.filter(one => one.active).length"
    page.evaluate("{ document.querySelector('#start').click(); document.querySelector('#start').click() }")
    answers(page)
    assert page.evaluate("window.streams.length") == 2 and page.evaluate(live) == 1
    page.click("#stop")
    page.keyboard.press(" ")
    page.keyboard.press(" ")
    page.keyboard.press(" ")
    page.click("#tab-files")  # while the browser still opens the camera
    until(page, "window.streams.length === 4")
    page.wait_for_timeout(100)
    assert page.evaluate(live) == 0 and page.text_content("#problem") == ""


def test_keys_do_what_the_page_says_whatever_was_clicked_last(seen: Opened) -> None:
    page = seen.page
    page.locator("#threshold").click(position={"x": 30, "y": 8})
    before = float(page.text_content("#threshold-value"))
    for key in ("+", "m", "2"):
        page.keyboard.press(key)
    assert float(page.text_content("#threshold-value")) == pytest.approx(before + 0.05)
    assert not page.is_checked("#mirror") and page.is_checked("#effects [value=blur]")
    page.keyboard.press(" ")
    answers(page, 1)
    page.click("#effects [value=boxes] + span")
    page.keyboard.press(" ")
    assert page.is_visible("#welcome")
    page.click("#tab-files")
    page.evaluate("document.activeElement.blur()")
    for key in (" ", "f"):  # nothing of the live view, which nobody sees now
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('#video').srcObject ?? document.fullscreenElement") is None


def test_every_control_is_reached_by_tab_and_shows_it(seen: Opened, tmp_path: Path) -> None:
    page = seen.page
    controls = """[...document.querySelectorAll('a, button, input, select')]
        .filter(one => one.checkVisibility() && !one.matches('[type=radio]:not(:checked)'))"""
    note = """{ const one = document.activeElement;
        const seen = one.matches('.choices input') ? one.nextElementSibling : one.closest('#drop') ?? one;
        if (getComputedStyle(seen).outlineStyle === 'solid') reached.add(one); 0 }"""
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    page.set_input_files("#choose", [tmp_path / "photo.png"])
    until(page, "document.querySelectorAll('article .download:not([hidden])').length === 1")
    for tab in ("#tab-live", "#tab-files"):
        page.click(tab)
        page.evaluate("window.reached = new Set(); 0")
        count = page.evaluate(f"{controls}.length")
        assert count > 10
        for _ in range(count + 2):  # with two steps to spare, for leaving the page and coming back
            page.keyboard.press("Tab")
            page.evaluate(note)
        assert page.evaluate(f"{controls}.filter(one => !reached.has(one)).map(one => one.outerHTML)") == []


def test_the_servers_camera_is_shown_until_it_is_stopped(seen: Opened) -> None:
    page = seen.page
    page.click("#start-server")
    until(page, "document.querySelector('#picture').naturalWidth === 300")
    assert page.is_visible("#picture") and not page.is_visible("#video")
    page.keyboard.press("4")
    until(page, "document.querySelector('#picture').src.includes('redact=fill')")
    page.click("#stop")
    assert page.is_visible("#welcome") and page.get_attribute("#picture", "src") is None


def test_a_dropped_photo_comes_back_redacted_and_all_as_a_zip(seen: Opened, tmp_path: Path) -> None:
    page = seen.page
    photo, video, words = tmp_path / "a photo.png", clip(tmp_path / "clip.mp4", sound=None), tmp_path / "words.jpg"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    words.write_text("no photo")
    page.click("#tab-files")
    page.check("#effects [value=fill]", force=True)
    page.set_input_files("#choose", [photo, video, words])
    until(page, "document.querySelectorAll('article .download:not([hidden])').length == 2")
    page.wait_for_selector("article.failed")
    states = page.eval_on_selector_all("article .state", "all => all.map(one => one.textContent)")
    assert states[0].startswith("1 face") and states[0].endswith("Black")
    assert states[2] == "This is neither a photo nor a video that can be read."
    assert page.text_content("article.failed figure p") == "Your browser cannot show this format."
    with page.expect_download() as saving:
        page.click("article:first-child .download")
    assert saving.value.suggested_filename == "a photo-fill.png"
    copy = np.asarray(Image.open(saving.value.path()).convert("RGB"))
    assert copy[80:160, 190:260].max() == 0 and (copy[300:] == skimage.data.astronaut()[300:]).all()
    with page.expect_download() as saving:
        page.click("#zip")
    with zipfile.ZipFile(saving.value.path()) as packed:
        names = packed.namelist()
    assert {"faces.csv", "drawn/a photo.jpg", "redacted/a photo.png", "redacted/clip.mp4"} <= set(names)
    page.check("#effects [value=boxes]", force=True)  # photos are done anew
    until(page, "document.querySelector('article .state').textContent.endsWith('Boxes')")
    refused = [said for said in seen.errors if "422" in said]  # the browser notes what the server says of words.jpg
    assert len(refused) == 2
    for said in refused:
        seen.errors.remove(said)
    page.click("#clear")
    assert page.locator("article").count() == 0


def test_what_stands_before_the_camera_is_said_with_five_bars(browser: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    weights = tmp_path / "any.pth"  # what is said means nothing, and is what torchvision's classes are called
    torch.save(models.mobilenet_v2(weights=None).state_dict(), weights)
    words = "--workers", "1", "--classifier", "mobilenet_v2", "--classifier-weights", str(weights)
    with served(*words) as server:
        page = opened(browser, server.url)
        page.page.check("#scene")
        page.page.click("#start")
        until(page.page, "document.querySelectorAll('#classes li').length === 5")
        shares = page.page.eval_on_selector_all("#classes meter", "all => all.map(one => one.value)")
        assert shares == sorted(shares, reverse=True) and 0 < shares[0] <= 1
        assert page.page.is_hidden("#scene-says") and page.errors == []
        page.page.close()


def test_what_stands_there_is_off_without_a_classifier_and_says_what_to_do(seen: Opened) -> None:
    assert seen.page.is_hidden("#of-scene") and "--classifier mobilenet_v2" in seen.page.text_content("#scene-says")


def test_a_narrow_screen_has_all_of_it_within_its_width(server: Served, browser: Any) -> None:
    phone = opened(browser, server.url, viewport={"width": 360, "height": 740}, color_scheme="dark")
    for tab in ("#tab-live", "#tab-files"):
        phone.page.click(tab)
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.page.close()
    assert phone.errors == []


def test_no_text_of_the_start_is_cut_or_covered_on_a_small_phone(server: Served, browser: Any) -> None:
    phone = opened(browser, server.url, viewport={"width": 320, "height": 568})
    page = phone.page
    page.evaluate(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError') }; 0"
    )
    page.click("#start")
    until(page, "document.querySelector('#problem').textContent !== ''")
    stage, *parts = (
        page.locator(one).bounding_box()
        for one in ("#stage", "#welcome .large", "#start", "#start-server", "#welcome .small", "#problem")
    )
    ends = [stage["y"], *(one["y"] + one["height"] for one in parts)]
    assert all(end <= one["y"] for end, one in zip(ends, parts, strict=False))
    assert ends[-1] <= stage["y"] + stage["height"]
    page.close()
    assert phone.errors == []


def test_a_phone_has_the_settings_below_the_live_picture_and_folded_above_photos(
    server: Served, browser: Any, tmp_path: Path
) -> None:
    phone = opened(browser, server.url, viewport={"width": 390, "height": 844})
    page = phone.page

    def top(selector: str) -> float:
        return page.locator(selector).bounding_box()["y"]

    assert top("#stage") < top("#settings summary") < top("#effects")
    page.click("#tab-files")
    assert page.is_hidden("#effects") and top("#settings summary") < top("#drop") < 300
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    page.set_input_files("#choose", [tmp_path / "photo.png"])
    until(page, "document.querySelector('article .state')?.textContent.endsWith('Boxes')")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert top("#drop") < 0 <= top("#settings summary") < 20  # in sight, however far one has come
    page.click("#settings summary")
    page.click("#effects [value=fill] + span")
    until(page, "document.querySelector('article .state').textContent.endsWith('Black')")
    assert page.text_content("#chosen") == "Black" and page.is_visible("#effects")
    page.click("#settings summary")
    page.set_viewport_size({"width": 1280, "height": 800})
    until(page, "document.querySelector('#settings').open")
    assert page.is_hidden("#settings summary") and page.locator("#effects").bounding_box()["x"] > 900
    page.close()
    assert phone.errors == []
