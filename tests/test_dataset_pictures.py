"""What `python -m dataset summary|sheet|look` show of a data folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typed import typed

from dataset import tables
from dataset.photos import Photos
from dataset.summary import measure

FACE = {"x1": 175, "y1": 70, "x2": 280, "y2": 205}  # of skimage's astronaut


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight photos of an astronaut under four names, one of them dropped; one ignored region; a coffee of nobody."""
    ids = [f"Person_{number % 4}/{number}" for number in range(8)]
    for name in [*ids, "nobody"]:
        path = tmp_path / "data/images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.coffee() if name == "nobody" else data.astronaut()).save(path)
    tables.write(
        tmp_path / "data/labels.csv",
        [{"image_id": n, "identity": n.split("/")[0], "url": f"http://a.example/{n}", **FACE} for n in ids],
    )
    tables.write(
        tmp_path / "data/downloads.csv",
        [{"image_id": n, "status": "ok", "path": f"images/{n}.png"} for n in [*ids, "nobody"]],
    )
    tables.write(
        tmp_path / "data/clean.csv",
        [{"image_id": ids[5], "keep": 0, "reason": "duplicate", "detail": "same bytes as another"}],
    )
    kept = {"image_id": ids[0], "source": "list"}
    rows = [kept | FACE | {"use": "train"}, kept | {"x1": 10, "y1": 10, "x2": 90, "y2": 60, "use": "ignore"}]
    tables.write(tmp_path / "data/faces.csv", rows)
    return tmp_path


def test_the_summary_counts_and_draws(folder: Path) -> None:
    done = typed("-m", "dataset", "summary", "--data", folder / "data", "--picture", folder / "new/summary.png")
    assert done.returncode == 0, done.stderr
    every = done.stdout.splitlines()[-2].split()
    assert every[:7] == [
        "all",
        "8",
        "7",
        "1",
        "0",
        "4",
        "0.88",
    ]  # photos, faces, ignored, left out, identities, a photo
    assert "105, 105, 105" in done.stdout and "0.78, 0.78, 0.78" in done.stdout
    assert Image.open(folder / "new/summary.png").size == (1300, 700)
    assert typed("-m", "dataset", "summary", "--data", folder / "data", "--picture", folder).returncode == 2


def test_measures_of_faces_and_of_none(folder: Path) -> None:
    photos = Photos.load(folder / "data")
    seen = measure(list(photos))
    np.testing.assert_allclose(seen.relative, np.sqrt(105 * 135 / 512**2), rtol=1e-5)
    np.testing.assert_allclose(seen.centres, [[227.5 / 512, 137.5 / 512]] * 7, rtol=1e-5)
    none = measure([])
    assert len(none.sides) == len(none.relative) == none.identities == 0


def test_a_sheet_is_drawn_again_by_its_seed(folder: Path) -> None:
    common = ("-m", "dataset", "sheet", "--data", folder / "data", "--split", "all", "--transforms", "full", "-n", "4")
    drawn = []
    for number, seed in enumerate(("3", "3", "4")):
        done = typed(*common, "--seed", seed, "--out", folder / f"{number}.jpg")
        assert f"4 photos of all, transforms full, seed {seed}" in done.stderr
        drawn.append((folder / f"{number}.jpg").read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]
    done = typed(
        *common[:5], "--split", "val", "--val", "1", "--test", "0", "--mosaic", "128", "--out", folder / "m.jpg"
    )
    assert "8 photos of val" in done.stderr and Image.open(folder / "m.jpg").width > 400


def test_the_page_of_a_data_folder(folder: Path) -> None:
    """With predict.py's tables as it writes them: one photo looked at with a find, one without, the others not."""
    (folder / "boxed").mkdir()
    first, second = (folder / f"data/images/Person_{n}/{n}.png" for n in (1, 2))
    (folder / "boxed/files.csv").write_text(
        f"path,status,reason,width,height,faces,seconds\n{first},ok,,512,512,1,0.1\n{second},ok,,512,512,0,0.1\n"
    )
    (folder / "boxed/faces.csv").write_text(f"path,face,x1,y1,x2,y2,score\n{first},0,175,70,280,205,0.9\n")
    common = ("-m", "dataset", "look", "--data", folder / "data", "--out", folder / "look.html")
    done = typed(*common, "--dropped", "--found", folder / "boxed")
    assert done.returncode == 0 and "9 photos" in done.stderr, done.stderr
    photos = {photo["n"]: photo for photo in on_page(folder / "look.html")}
    assert photos["Person_1/1"]["b"] == [[175, 70, 280, 205, "label"], [175, 70, 280, 205, "found", 0.9]]
    assert photos["Person_2/2"]["b"] == [[175, 70, 280, 205, "missed"]]
    assert photos["Person_0/0"]["b"][1] == [10, 10, 90, 60, "ignore"] and photos["Person_0/0"]["b"][0][4] == "label"
    assert photos["nobody"]["b"] == []
    assert photos["Person_1/5"]["r"] | {"split": ""} == {
        "identity": "Person_1", "split": "", "address": "http://a.example/Person_1/5", "kept": "no",
        "reason": "duplicate", "detail": "same bytes as another",
    }  # fmt: skip
    done = typed(*common, "-n", "1")
    assert len(on_page(folder / "look.html")) == 1 and done.stderr.startswith("1 photo, "), done.stderr
    (folder / "boxed/files.csv").write_text("path,status,reason,width,height,faces,seconds\nother.png,ok,,1,1,0,0\n")
    done = typed(*common, "--found", folder / "boxed")
    assert done.returncode == 2 and "its tables have none of the photos (8)" in done.stderr
    (folder / "nothing").mkdir()
    done = typed(*common, "--found", folder / "nothing")
    assert done.returncode == 2 and "there is no faces.csv; give a folder of predict.py's results" in done.stderr
    assert "clean" not in done.stderr.partition("--found")[2]


def on_page(path: Path) -> list[dict]:
    return json.loads(path.read_text().split('id="photos">')[1].split("</script>")[0])
