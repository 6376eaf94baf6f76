"""The page to look through photos: what it says of them, and that a real browser shows, sorts, filters and opens it."""

import base64
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from browser import Opened, chromium, opened
from PIL import Image

import visavis
from visavis import Faces
from visavis.boxes import as_boxes
from visavis.errors import InputError
from visavis.page import Entry, Strip, mistakes

FACE = [175, 70, 280, 205]  # of skimage's astronaut


def faces(*boxes: list[float], scores: list[float] | None = None) -> Faces:
    return Faces(as_boxes(boxes), None if scores is None else np.array(scores, np.float32))


def entries(folder: Path) -> list[Entry]:
    """A face that is found, one missed, one false, one badly placed, a photo without any, one that cannot be read."""
    astronaut, coffee = skimage.data.astronaut(), skimage.data.coffee()
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    ada, bob = {"identity": "Ada", "reason": "</script><b>&"}, {"identity": "Bob", "reason": "faceless"}
    return [
        Entry("a/right.png", astronaut, faces(FACE), faces(FACE, scores=[0.9]), as_boxes([[0, 0, 50, 60]]), ada),
        Entry("b/missed.png", astronaut, faces(FACE), faces(), row=bob),
        Entry("a/false.png", coffee, faces(), faces([10, 10, 60, 80], [200, 200, 260, 280], scores=[0.7, 0.3])),
        Entry("b/placed.png", astronaut, faces(FACE), faces([230, 70, 335, 205], scores=[0.6]), row=bob),
        Entry("none.png", coffee, faces(), faces()),
        Entry("torn.jpg", folder / "torn.jpg", faces([1, 1, 5, 5]), faces()),
    ]


def photos_in(path: Path) -> list[dict[str, Any]]:
    """The data inside a page."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split('id="photos">')[1].split("</script>")[0])


def test_each_mistake_has_its_kind() -> None:
    truth = faces(FACE, [300, 300, 340, 340])
    found = faces(FACE, [320, 300, 360, 340], [0, 0, 20, 20], [400, 400, 420, 420], scores=[0.9, 0.8, 0.7, 0.6])
    labels, finds = mistakes(truth, found, as_boxes([[390, 390, 430, 430]]))
    assert labels == ["label", "label"] and finds == ["found", "placed", "false", "neither"]
    assert mistakes(truth, faces(scores=[]), as_boxes([])) == (["missed", "missed"], [])
    assert mistakes(faces(), faces(), as_boxes([])) == ([], [])


def test_the_page_holds_thumbnails_boxes_and_reasons(tmp_path: Path) -> None:
    path = visavis.look(entries(tmp_path), tmp_path / "page.html", "a <title>", threshold=0.5)
    photos = photos_in(path)
    assert [photo["n"] for photo in photos][-1] == "torn.jpg" and "not_image" in photos[-1]["x"]
    assert photos[0]["b"] == [[*FACE, "label"], [0, 0, 50, 60, "ignore"], [*FACE, "found", 0.9]]
    assert photos[2]["b"] == [[10, 10, 60, 80, "false", 0.7]]  # the other find is below the threshold
    assert photos[0]["h"] == 512 and photos[2]["w"] == 600
    assert photos[0]["r"]["reason"] == "</script><b>&" and "</script><b>" not in path.read_text()


def test_a_photo_is_a_path_a_text_a_pillow_image_or_an_array(tmp_path: Path) -> None:
    array = skimage.data.coffee()
    Image.fromarray(array).save(tmp_path / "a.png")
    given = (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(array), array)
    photos = photos_in(visavis.look([Entry("a", one) for one in given], tmp_path / "page.html"))
    assert [(photo["h"], photo["w"]) for photo in photos] == [(400, 600)] * 4
    assert [photo.get("f") for photo in photos] == ["a.png", "a.png", None, None]


def test_boxes_are_in_the_pixels_of_the_whole_photo(tmp_path: Path) -> None:
    Image.fromarray(skimage.data.astronaut()).resize((3000, 2001)).save(tmp_path / "large.jpg")
    entry = Entry("large", tmp_path / "large.jpg", faces([1000, 300, 1600, 800]))
    (photo,) = photos_in(visavis.look([entry], tmp_path / "page.html"))
    assert (photo["h"], photo["w"]) == (2001, 3000) and photo["b"][0][:4] == [1000, 300, 1600, 800]
    thumbnail = Image.open(io.BytesIO(base64.b64decode(photo["t"])))
    assert thumbnail.size == (640, 427)


def test_without_predictions_nothing_is_missed(tmp_path: Path) -> None:
    unseen = [Entry("a", skimage.data.coffee(), faces(FACE)), Entry("b", skimage.data.coffee())]
    assert [photo["b"] for photo in photos_in(visavis.look(unseen, tmp_path / "x.html"))] == [[[*FACE, "label"]], []]
    assert photos_in(visavis.look([], tmp_path / "empty.html")) == []


def test_thumbnails_shrink_until_the_page_is_small_enough(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)  # what no codec makes small
    many = [Entry(f"{number}", picture) for number in range(20) for picture in (noise, skimage.data.coffee())]
    for largest in (90_000, 600_000):
        path = visavis.look(many, tmp_path / "page.html", largest=largest)
        assert path.stat().st_size <= largest
        assert all(photo["t"] for photo in photos_in(path))
    with pytest.raises(InputError, match="40 entries are too many for a page of 22,000 bytes"):
        visavis.look(many, tmp_path / "page.html", largest=22_000)
    with pytest.raises(InputError, match="is a folder"):
        visavis.look(many, tmp_path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def shown(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """The page of `entries`; in the end nothing was fetched, and nothing went wrong."""
    folder = tmp_path_factory.mktemp("page")
    seen = opened(browser, visavis.look(entries(folder), folder / "page.html", "Mistakes"))
    yield seen
    assert seen.errors == []
    assert fetched(seen) == []


@pytest.fixture
def page(shown: Opened) -> Any:
    """The page as it is first seen."""
    close(shown.page)
    shown.page.click("#clear")
    wait_for(shown.page, "6 photos")
    return shown.page


def names(page: Any) -> list[str]:
    return page.eval_on_selector_all(
        ".photo", "all => all.sort((a, b) => a.dataset.place - b.dataset.place).map(one => one.title)"
    )


def wait_for(page: Any, count: str) -> None:
    page.wait_for_function("text => document.getElementById('count').textContent === text", arg=count)


def close(page: Any) -> None:
    page.keyboard.press("Escape")
    page.wait_for_selector("#dialog", state="hidden")


def first_is(page: Any, name: str) -> None:
    page.wait_for_function("name => document.querySelector('.photo')?.title === name", arg=name)


def test_a_browser_renders_photos_and_boxes(page: Any) -> None:
    assert page.title() == "Mistakes" and page.inner_text("h1") == "Mistakes"
    assert len(names(page)) == 6
    widths = page.eval_on_selector_all(
        ".photo img", "all => Promise.all(all.map(i => i.decode().then(() => i.naturalWidth)))"
    )
    assert len(widths) == 5 and min(widths) > 100
    assert page.locator(".photo rect").count() == 8  # the torn photo has no picture to draw its box on
    assert page.locator(".photo .reason").inner_text().startswith("not_image")
    # A box lies where its face is, by share of the picture.
    frame, box = (page.locator(f".photo >> nth=0 >> {inner}").bounding_box() for inner in (".frame", "rect.label"))
    assert abs((box["x"] - frame["x"]) / frame["width"] - 175 / 512) < 0.02
    assert abs(box["height"] / frame["height"] - 135 / 512) < 0.03


def test_it_sorts(page: Any) -> None:
    page.select_option("#sort", "name")
    first_is(page, "a/false.png")
    page.select_option("#sort", "highest")
    page.check("#falling")
    first_is(page, "a/right.png")
    assert names(page)[:3] == ["a/right.png", "a/false.png", "b/placed.png"]
    page.select_option("#sort", "mistakes")
    first_is(page, "a/false.png")


@pytest.mark.parametrize(
    "control, value, left",
    [
        ("#mistake", "missed", {"b/missed.png", "torn.jpg"}),
        ("#mistake", "false", {"a/false.png"}),
        ("#mistake", "placed", {"b/placed.png"}),
        ("#mistake", "none", {"a/right.png", "none.png"}),
        ("#reason", "faceless", {"b/missed.png", "b/placed.png"}),
        ("#identity", "Ada", {"a/right.png"}),
        ("#search", "b/ PLACED", {"b/placed.png"}),
        ("#score-least", "0.65", {"a/right.png", "a/false.png"}),
        ("#faces-most", "0", {"none.png"}),
        ("#size-most", "10", {"torn.jpg"}),
    ],
)
def test_it_filters(page: Any, control: str, value: str, left: set[str]) -> None:
    select = page.eval_on_selector(control, "one => one.tagName === 'SELECT'")
    (page.select_option if select else page.fill)(control, value)
    wait_for(page, f"{len(left)} of 6 photos")
    assert set(names(page)) == left


def test_a_click_opens_a_photo_with_its_row_and_the_keyboard_walks_on(page: Any) -> None:
    page.click(".photo >> nth=0")
    assert page.is_visible("#large img")
    facts = page.inner_text("#facts")
    assert "Ada" in facts and "</script><b>&" in facts and "512 × 512" in facts and "found 0.900" in facts
    page.keyboard.press("ArrowRight")
    assert "b/missed.png" in page.inner_text("#facts") and page.locator("#large rect.missed").count() == 1
    page.keyboard.press("t")
    assert page.locator("rect.missed").count() == 0
    page.keyboard.press("t")
    close(page)
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert "torn.jpg" in page.inner_text("#facts")
    assert page.get_attribute("#keys a", "href") == "torn.jpg"
    close(page)
    page.keyboard.press("/")
    page.keyboard.type("none")
    wait_for(page, "1 of 6 photos")


def test_a_name_that_is_no_utf8_is_shown_and_followed(browser: Any, tmp_path: Path) -> None:
    photo = tmp_path / os.fsdecode(b"odd \xff #1.jpg")
    Image.fromarray(skimage.data.coffee()).save(photo)
    seen = opened(browser, visavis.look([Entry("odd", photo)], tmp_path / "page.html"))
    seen.page.click(".photo")
    assert seen.page.get_attribute("#keys a", "href") == "odd%20%FF%20%231.jpg"


def test_without_labels_there_are_no_mistakes_to_ask_for(browser: Any, tmp_path: Path) -> None:
    one = Entry("one", skimage.data.coffee(), found=faces([1, 1, 50, 50], scores=[0.9]))
    page = opened(browser, visavis.look([one], tmp_path / "page.html")).page
    assert page.is_visible("#of-score") and not page.is_visible("#of-mistake")
    assert "worst" not in page.eval_on_selector_all("#sort option", "all => all.map(one => one.value)")


def test_captions_and_colours_are_those_of_drawn_copies(browser: Any, tmp_path: Path) -> None:
    told = {
        "mask": np.array(["none"]),
        "mask_score": np.array([0.9]),
        "age": np.array([44.71]),
        "age_low": np.array([34]),
    }
    one = Entry("one", skimage.data.coffee(), found=Faces([[300, 100, 500, 300]], [0.9], attributes=told))
    page = opened(browser, visavis.look([one], tmp_path / "page.html")).page
    page.click(".photo")
    assert page.text_content("#large text") == "0.90 no mask age 45"
    assert page.get_attribute("#large rect", "stroke") == "#ff5f55"
    assert page.locator("#kinds .kind").all_text_contents() == ["found", "no mask"]


def test_a_phone_shows_photos_first_and_filters_when_they_are_asked_for(browser: Any, tmp_path: Path) -> None:
    photos = [Entry(name, skimage.data.coffee(), found=faces([1, 1, 50, 50], scores=[0.9])) for name in "ab"]
    phone = {"width": 400, "height": 800}
    page = opened(browser, visavis.look(photos, tmp_path / "page.html"), viewport=phone).page
    assert not page.is_visible("#of-score")
    first, second = (page.locator(".photo").nth(number).bounding_box() for number in (0, 1))
    assert first["y"] == second["y"] < 300 and second["x"] + second["width"] <= 400
    page.click("#filters summary")
    page.fill("#score-least", "0.95")
    wait_for(page, "0 of 2 photos")


def test_a_strip_shows_the_frames_of_its_person_alone(browser: Any, tmp_path: Path) -> None:
    small = skimage.data.coffee()[:40, :60]
    videos = {"walk.mp4": [[1], [1, 2]], "walk.mp4 again.mp4": [[1]]}

    def frame(video: str, number: int, tracks: list[int]) -> Entry:
        boxes = as_boxes([[1, 1, 20, 20]] * len(tracks))
        found = Faces(boxes, np.full(len(tracks), 0.9, np.float32), attributes={"track": np.array(tracks)})
        return Entry(f"{video} {number}.0 s", small, found=found, video=video)

    frames = [frame(video, number, tracks) for video, all in videos.items() for number, tracks in enumerate(all)]
    strips = [Strip("walk.mp4", number, small, f"person {number}") for number in (1, 2)]
    seen = opened(browser, visavis.look([*frames, Entry("walk.mp4 0.0 s.png", small)], tmp_path / "page.html",
                                        strips=strips))  # fmt: skip
    page, people = seen.page, seen.page.locator(".person")
    assert people.all_inner_texts() == ["walk.mp4 · #1 · person 1", "walk.mp4 · #2 · person 2"]
    everything, none_and = "1 photo and 3 frames", "0 of 1 photo and "
    for person, count in ((0, none_and + "2 of 3 frames"), (1, none_and + "1 of 3 frames"), (1, everything),
                          (1, none_and + "1 of 3 frames")):  # fmt: skip
        people.nth(person).click()
        wait_for(page, count)
    assert people.nth(1).get_attribute("aria-pressed") == "true" and names(page) == ["walk.mp4 1.0 s"]
    page.click("#clear")
    wait_for(page, everything)
    assert page.get_attribute("#grid", "aria-label") == "photos and frames"
    assert people.nth(1).get_attribute("aria-pressed") == "false"
    assert seen.errors == [] and fetched(seen) == []


def test_what_is_counted_is_called_what_it_is(browser: Any, tmp_path: Path) -> None:
    small = skimage.data.coffee()[:40, :60]
    crops = [Entry(name, small, kind="face") for name in ("Ann/1.jpg", "Bob/1.jpg")]
    pictures = [Entry("a.jpg", small), *crops, Entry("a.mp4 0.0 s", small, video="a.mp4")]
    page = opened(browser, visavis.look(pictures, tmp_path / "page.html")).page
    wait_for(page, "1 photo and 2 faces and 1 frame")
    page.click(".photo[title='Bob/1.jpg']")
    assert page.get_attribute("#dialog", "aria-label") == "face"
    close(page)
    page.fill("#search", "Bob")
    wait_for(page, "0 of 1 photo and 1 of 2 faces and 0 of 1 frame")
    page.goto(visavis.look(crops[:1], tmp_path / "page.html").as_uri())
    wait_for(page, "1 face")


def test_of_thousands_only_those_in_sight_are_in_the_document(browser: Any, tmp_path: Path) -> None:
    small = skimage.data.coffee()[:40, :60]
    many = [Entry(f"{number:05}", small, faces([1, 1, number % 50 + 5, 30])) for number in range(3000)]
    seen = opened(browser, visavis.look(many, tmp_path / "page.html"))
    assert 0 < seen.page.locator(".photo").count() < 200
    seen.page.keyboard.press("End")
    seen.page.wait_for_selector(".photo[title='02999']")
    assert seen.page.locator(".photo").count() < 200
    assert seen.errors == [] and fetched(seen) == []


def fetched(seen: Opened) -> list[str]:
    """What the page asked for beyond itself and what it carries."""
    return [address for address in seen.requests if not address.startswith("data:")]
