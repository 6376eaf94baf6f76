"""The page of `visavis serve`: cameras go on and off when they should, by button, key and tab."""

from pathlib import Path

import pytest
import skimage.data
from browser import Opened
from live_page import answers, until
from PIL import Image
from server import Served

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


def test_the_camera_stops_on_the_button_and_when_the_page_goes(seen: Opened, page_server: Served) -> None:
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
    page.goto(page_server.base + "/docs")
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
