"""The page of `visavis serve` in a real browser: what it finds, draws and redacts, live and in photos and videos."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from browser import Opened, opened
from clips import clip
from live_page import FACE, LEFT, answers, canvas, until
from PIL import Image
from server import served

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")


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
    assert page.text_content("#threshold-value") == "0.45"
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


def test_what_is_done_of_a_video_and_of_all_files_is_counted(seen: Opened, tmp_path: Path) -> None:
    page, photo = seen.page, tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    page.click("#tab-files")
    page.evaluate(
        """{ window.told = new Set();
        new MutationObserver(all => all.forEach(one => told.add(one.target.textContent)))
            .observe(document.querySelector('#files'), { childList: true, subtree: true }); 0 }"""
    )
    told = "[...told].some(one => /^[0-9]+ of about {}( · |$)/.test(one))"
    page.set_input_files("#choose", [clip(tmp_path / "clip.mp4", range(0, 8000, 40), sound=None), photo])
    until(page, told.format("200 frames"))
    until(page, "document.querySelectorAll('article .download:not([hidden])').length == 2")
    page.click("#zip")
    until(page, told.format("201 photos and frames"))


def test_what_stands_before_the_camera_is_said_with_five_bars(with_camera: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    weights = tmp_path / "any.pth"  # what is said means nothing, and is what torchvision's classes are called
    torch.save(models.mobilenet_v2(weights=None).state_dict(), weights)
    words = "--workers", "1", "--classifier", "mobilenet_v2", "--classifier-weights", str(weights)
    with served(*words) as server:
        page = opened(with_camera, server.url)
        page.page.check("#scene")
        page.page.click("#start")
        until(page.page, "document.querySelectorAll('#classes li').length === 5")
        shares = page.page.eval_on_selector_all("#classes meter", "all => all.map(one => one.value)")
        assert shares == sorted(shares, reverse=True) and 0 < shares[0] <= 1
        assert page.page.is_hidden("#scene-says") and page.errors == []
        page.page.close()


def test_what_stands_there_is_off_without_a_classifier_and_says_what_to_do(seen: Opened) -> None:
    assert seen.page.is_hidden("#of-scene") and "--classifier mobilenet_v2" in seen.page.text_content("#scene-says")
