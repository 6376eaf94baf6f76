"""docs/architecture.md keeps its word: each of its examples, a file and a line, is found in every output, and its
commands run as they stand there."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browser import chromium, opened
from clips import clip
from PIL import Image
from skimage import data

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of visavis to which all that the page says was added, and nothing else; and two photos and a video in
    holiday/."""
    place = tmp_path_factory.mktemp("house")
    photos = place / "holiday"
    photos.mkdir()
    Image.fromarray(data.astronaut()).save(photos / "a.png")
    Image.fromarray(data.astronaut() // 4).save(photos / "b.png")
    clip(photos / "c.mp4", sound=None)
    being_written = shutil.ignore_patterns("*.pyc.*", "*.nb?", "*.nb?.*")
    for folder in ("visavis", "dataset"):  # with what is compiled: a file keeps its time
        shutil.copytree(ROOT / folder, place / folder, ignore=being_written)
    for script in ("predict.py", "evaluate.py"):
        shutil.copy(ROOT / script, place)
    (place / "tests").mkdir()
    files = re.findall(r"^`((?:visavis|tests)/\S+\.py)`:\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^`(\w+)` in `(visavis/\S+\.py)`:\n\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert (len(files), len(lines)) == (4, 4)
    for name, text in files:
        assert not (place / name).exists()
        (place / name).write_text(text, encoding="utf-8")
    for registry, name, line in lines:
        before = (place / name).read_text(encoding="utf-8")
        after, count = re.subn(rf"^({registry}: dict\[.*\] = \{{\n)", r"\1@", before, flags=re.M)
        after = after.replace("{\n@", "{\n" + line)
        assert count == 1 and line.count("\n") == 1
        (place / name).write_text(after, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def out(house: Path) -> Path:
    """What a run with all of it leaves, of the photos and the video."""
    words = ["holiday", "--analyse", "brightness,sharpness", "--format", "csv,json,jsonl,coco,voc,counts", "--crops"]
    done = run(house, "predict", *words, "--redact", "white", "--look", "--sheet", "--out", "out", "--threshold", "0.5")
    assert done.returncode == 0, done.stderr
    return house / "out"


def run(house: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return python(house, "-m", "visavis", *words)


def python(house: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *words],
        cwd=house, env=os.environ | {"PYTHONPATH": str(house)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def commands(part: str) -> list[list[str]]:
    """What the page's examples give to python, in the section of that name."""
    (section,) = re.findall(rf"^## {part}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    return [line.split() for line in re.findall(r"^    python (.+)$", section, re.MULTILINE)]


def faces(out: Path) -> list[dict[str, str]]:
    with (out / "faces.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_what_the_analyser_says(out: Path):
    photos = {Path(row["path"]).name: row for row in faces(out) if not row["frame"]}
    assert photos["a.png"]["light"] == "bright" and photos["b.png"]["light"] == "dark"
    bright, dark = (float(photos[name]["brightness"]) for name in ("a.png", "b.png"))
    assert 130 < bright < 180 and bright / 4 - 2 < dark < bright / 4 + 2
    assert 0 < float(photos["a.png"]["sharpness"]) < 1
    frames = [row for row in faces(out) if row["frame"]]
    assert len(frames) > 2 and {row["light"] for row in frames} == {"bright"}


def test_every_format_has_it(out: Path):
    known = {(row["path"], row["frame"]): row for row in faces(out)}
    first = next(record for record in json.loads((out / "faces.json").read_text()) if record["path"].endswith("a.png"))
    row = known[first["path"], ""]
    assert first["faces"][0]["light"] == row["light"] == "bright"
    assert first["faces"][0]["brightness"] == pytest.approx(float(row["brightness"]))
    lines = [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]
    assert first in lines
    coco = json.loads((out / "coco.json").read_text())
    assert len(coco["annotations"]) == len(known)
    assert all({"brightness", "light", "sharpness"} <= one.keys() for one in coco["annotations"])
    (voc,) = (out / "voc/Annotations").rglob("a.png.xml")
    assert ElementTree.parse(voc).findtext("object/light") == "bright"
    counts = dict(reversed(line.split("\t")) for line in (out / "counts.txt").read_text().splitlines())
    assert counts[first["path"]] == "1" and len(counts) == 3


def test_pictures_have_it(house: Path, out: Path):
    (crop,) = (out / "crops").rglob("a*/0.jpg")
    with Image.open(crop) as opened_crop:
        assert b"bright" in opened_crop.info["comment"] and b"sharpness" in opened_crop.info["comment"]
    plain = house / "plain"
    assert run(house, "predict", "holiday/a.png", "--out", "plain", "--threshold", "0.5").returncode == 0
    (drawn,), (without,) = (folder.rglob("a.png.jpg") for folder in (out / "drawn", plain / "drawn"))
    assert drawn.read_bytes() != without.read_bytes()  # its caption says more
    (redacted,) = (out / "redacted").rglob("a.png")
    with Image.open(redacted) as white:
        assert white.convert("RGB").getpixel((225, 120)) == (255, 255, 255)


def test_the_page_shows_sorts_and_filters_it(out: Path):
    with chromium() as browser:
        seen = opened(browser, out / "look.html")
        page: Any = seen.page
        labels = page.eval_on_selector_all(
            "#attributes label", "all => all.map(one => one.firstChild.textContent.trim())"
        )
        assert labels == ["brightness", "light", "sharpness", "track"]
        page.select_option("#attributes select", "dark")
        page.locator(".photo[title*='a.png']").wait_for(state="detached")
        assert page.locator(".photo").count() == 1
        page.click("#clear")
        page.select_option("#sort", "lowest of brightness")
        page.locator(".photo[data-place='0'][title*='b.png']").wait_for()
        page.locator("#attributes input[placeholder=least]").first.fill("100")
        page.locator(".photo[title*='b.png']").wait_for(state="detached")
        page.locator(".photo").first.click()
        assert "· brightness" in page.text_content("#facts") and "bright" in page.text_content("#facts")
        assert seen.errors == [] and not [one for one in seen.requests if one.startswith("http")]


def test_a_run_goes_on_with_it(house: Path):
    words = ["predict", "holiday", "--analyse", "brightness", "--out", "again", "--no-draw"]
    assert run(house, *words).returncode == 0
    before = (house / "again/faces.csv").read_text()
    assert "brightness" in before.splitlines()[0]
    done = run(house, *words, "--resume")
    assert done.returncode == 0, done.stderr
    assert (house / "again/faces.csv").read_text() == before


def test_a_name_that_nobody_added_is_refused(house: Path):
    refused = run(house, "predict", "holiday", "--analyse", "mood", "--out", "new")
    assert refused.returncode == 2 and "no analyser 'mood'; there are" in refused.stderr


def test_the_test_on_the_page_passes(house: Path):
    test, predict = commands("To add an analyser")
    done = python(house, *test)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout
    assert predict[2:4] == ["--analyse", "brightness,sharpness"]  # as `out` has it


def test_the_detector_is_there_for_every_command(house: Path):
    predict, imported, evaluate = commands("To add a detector")
    done = python(house, *predict)
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in faces(house / "boxed") if row["path"].endswith("a.png")]
    assert float(row["x2"]) - float(row["x1"]) == pytest.approx(128, abs=70)
    assert "bright_spot" in run(house, "predict", "--help").stdout
    (house / "boxes.csv").write_text("image,x1,y1,x2,y2\nholiday/a.png,178,60,271,181\n")
    assert python(house, *imported).returncode == 0
    done = python(house, *evaluate)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["bright_spot", "shipped"]
    with_it = "import visavis; print(visavis.load_detector('bright_spot'))"
    assert python(house, "-c", with_it).stdout == "<BrightSpot, threshold 0.5>\n"
