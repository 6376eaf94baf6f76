"""clean/report.html: one file, whole, safe, small; and what a real browser makes of it."""

import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from clean import report
from clean.finders import Finder
from clean.inspection import Inspection, ListedPhoto
from clean.verdicts import Verdict
from visavis import images
from visavis.evaluation.conventions import Shift

EVIL = '<script>alert("x")</script>'
REASONS = [
    "faceless",
    "label_moved",
    "label_outside",
    "unlabelled",
    "not_a_photo",
    "too_small",
    "duplicate",
    "truncated",
]


class Page(HTMLParser):
    """What is in a page: elements by name, with their attributes, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(folder: Path, count: int) -> Path:
    """A report of so many photos, whose files are a few; each reason comes, and other faces of both uses."""
    finder = Finder("hog-1", lambda: pytest.fail("nobody looks"), 0.3, 0.4, 0.6)
    pictures = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]
    files = [folder / f"{number}.jpg" for number in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        file.write_bytes(images.encode(picture))
    inspections, judged = [], []
    for number in range(count):
        url = ("https://a.org/?a&b", "javascript:alert(1)", "")[number % 3]
        image_id = f"A/{number:05d}{EVIL if number == 8 else ''}"
        photo = ListedPhoto(image_id, files[number % 3], boxes=((180.0, 70.0, 270.0, 180.0),), url=url)
        reason = (*REASONS, "")[number % 9]
        finds = {"hog": [[100.0, 100.0, 180.0, 180.0, 0.9], [10.0, 10.0, 60.0, 70.0, 0.45]]}
        inspections.append((photo, Inspection(image_id, "", reason if reason == "truncated" else "", finds=finds)))
        row = {"image_id": image_id, "x1": "5", "y1": "5", "x2": "90", "y2": "90"}
        other = {"source": "hog", "use": ("train", "ignore")[number % 2]}
        faces = [row | {"source": "list", "use": "train"}, row | other] if not reason else []
        kept_for = "A/00001" if reason == "duplicate" else ""
        judged.append(Verdict(image_id, not reason, reason, EVIL if reason == "faceless" else "", faces, "", kept_for))
    path = folder / "clean" / "report.html"
    report.write(path, inspections, judged, {"hog": finder}, {"hog": Shift()}, [f"hog: {EVIL}"])
    return path


def test_every_reason_has_its_sheet_and_nothing_of_the_list_is_markup(tmp_path: Path):
    text = written(tmp_path, 36).read_text()
    page = Page(text)
    assert [one["id"] for one in page.all("section")] == [
        *(report._anchor(name) for name in REASONS),
        "kept",
        *(report._anchor(f"other faces {what}") for what in ("to learn from", "to leave out of the loss")),
    ]
    links = {one["href"] for one in page.all("a")}
    assert {link for link in links if link and not link.startswith("#")} == {"https://a.org/?a&b"}
    assert not page.all("script") and EVIL in "".join(page.words)
    assert len(page.all("figure")) == 36 + 4  # those kept stand on another sheet, too
    # Two pictures for a duplicate, none for what does not decode.
    assert len(page.all("img")) == 4 * 7 + 4 + 4 + 4
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in page.all("img"))
    assert "no picture" in page.words
    rows = "".join(page.words).split("of all")[1].split("the label")[0].split("\n")
    assert "duplicate411.1%" in rows and "kept411.1%" in rows


def test_boxes_are_drawn_where_they_are(tmp_path: Path):
    import base64

    text = written(tmp_path, 1).read_text()
    (image,) = Page(text).all("img")
    drawn = images.decode(base64.b64decode(image["src"].split(",")[1]))
    plain, factor = images.fit(skimage.data.astronaut(), report.THUMBNAIL)
    changed = np.abs(drawn.astype(int) - plain).max(axis=2) > 25
    for x1, y1, x2, y2 in ((180, 70, 270, 180), (100, 100, 180, 180), (10, 10, 60, 70)):
        left, top, right, bottom = (round(side * factor) for side in (x1, y1, x2, y2))
        assert changed[top : top + 2, left:right].mean() > 0.6
        assert changed[top:bottom, left : left + 2].mean() > 0.6


def test_no_photos_make_a_page_too(tmp_path: Path):
    report.write(tmp_path / "report.html", [], [], {}, {}, [])
    assert "0 photos" in (tmp_path / "report.html").read_text()


def test_a_large_folder_makes_a_sampled_page_within_the_budget(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(report, "EACH", 10)
    path = written(tmp_path, 10_000)
    page = Page(path.read_text())
    whole = path.stat().st_size
    assert whole < 30_000_000 * 10 / 60
    assert len(page.all("figure")) == 11 * 10
    assert "10, chosen at random, of 1,112" in "".join(page.words)
    monkeypatch.setattr(report, "BUDGET", 100_000)
    small = written(tmp_path, 10_000)
    assert small.stat().st_size < 200_000 < whole
    assert len(Page(small.read_text()).all("figure")) == 11 * 10


def test_a_browser_opens_it_and_asks_nobody_else(tmp_path: Path, monkeypatch):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    monkeypatch.setattr(report, "EACH", 10)
    path = written(tmp_path, 1_000)
    asked: list[str] = []
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: pytest.fail("a script of the list ran"))
        page.goto(path.as_uri(), timeout=300_000)
        first = page.locator("img").first
        first.scroll_into_view_if_needed(timeout=300_000)
        page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth > 0", timeout=300_000)
        assert page.locator("figure").count() == 11 * 10
        page.locator('a[href="#kept"]').click(timeout=300_000)
        assert page.locator("#kept h2").is_visible()
        chromium.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
