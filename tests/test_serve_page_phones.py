"""The page of `visavis serve` on the screens of phones."""

from pathlib import Path
from typing import Any

import pytest
import skimage.data
from browser import opened
from live_page import answers, until
from PIL import Image
from server import Served

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


def test_a_narrow_screen_has_all_of_it_within_its_width(page_server: Served, with_camera: Any) -> None:
    phone = opened(with_camera, page_server.url, viewport={"width": 360, "height": 740}, color_scheme="dark")
    for tab in ("#tab-live", "#tab-files"):
        phone.page.click(tab)
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360
    phone.page.close()
    assert phone.errors == []


def test_no_text_of_the_start_is_cut_or_covered_on_a_small_phone(page_server: Served, with_camera: Any) -> None:
    phone = opened(with_camera, page_server.url, viewport={"width": 320, "height": 568})
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
    page_server: Served, with_camera: Any, tmp_path: Path
) -> None:
    phone = opened(with_camera, page_server.url, viewport={"width": 390, "height": 844})
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


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 568)])
def test_what_is_said_of_the_live_picture_covers_none_of_it(
    page_server: Served, with_camera: Any, width: int, height: int
) -> None:
    """There is no room for it beside the captions of faces."""
    phone = opened(with_camera, page_server.url, viewport={"width": width, "height": height})
    page = phone.page
    page.click("#start")
    answers(page)
    picture, stage = (page.locator(one).bounding_box() for one in ("#canvas", "#stage"))
    spans = [one.bounding_box() for one in page.locator("#stats span").all()]
    assert len(spans) == 4 and picture["height"] == pytest.approx(picture["width"] * 480 / 640, abs=1)
    assert all(stage["y"] < one["y"] and one["y"] + one["height"] < picture["y"] for one in spans)
    assert all(stage["x"] < one["x"] and one["x"] + one["width"] < stage["x"] + stage["width"] for one in spans)
    page.click("#stop")
    assert page.locator("#stage").evaluate("one => getComputedStyle(one).paddingTop") == "0px"
    page.close()
    assert phone.errors == []
