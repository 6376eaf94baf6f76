"""The demo's site and photos, and the first half of the road on them: a real server, real commands."""

import csv
import tarfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
import skimage
from typed import typed

from dataset import tables
from dataset.split import split_of
from demo import photos
from demo.__main__ import HELD_OUT, outcomes
from demo.portraits import CACHE, NAMES, fetch
from demo.site import FAULTS, Site, read_labels
from visavis import images
from visavis.boxes import as_boxes
from visavis.errors import InputError

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos of one person, no two alike, without an identity column; each with a small second face."""
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "images").mkdir()
    whole = photos.LabelledPicture(images.read(ASTRONAUT), as_boxes([photos.SOURCES["astronaut.png"]]))
    rows = []
    for number in range(12):
        photo = whole.cropped(10 * number, 0, 400 + 9 * number, 300 + 5 * number)
        name = f"someone_{number}.jpg"
        (folder / "images" / name).write_bytes(images.encode(photo.picture))
        for box in ((1, 1, 9, 9), photo.boxes[0].tolist()):
            rows.append({"image": name} | dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)))
    tables.write(folder / "boxes.csv", rows, ("image", "x1", "y1", "x2", "y2"))
    return folder


def listed(site: Site) -> dict[str, list[list[str]]]:
    """Identity -> the fields of its lines, as the archive that the site serves has them."""
    with tarfile.open(fileobj=BytesIO(requests.get(site.archive_address, timeout=120).content)) as archive:
        names = [name for name in archive.getnames() if name.startswith("vgg_face_dataset/files/")]
        texts = {Path(name).stem: archive.extractfile(name).read().decode() for name in names}
    return {name: [line.split(" ") for line in text.splitlines()] for name, text in texts.items()}


def test_each_photo_is_listed_once_with_its_largest_face_and_served_whole(crowd: Path) -> None:
    with Site(crowd) as site, requests.Session() as session:
        lists = listed(site)
        assert len(lists) == site.photos == 12
        for identity, lines in lists.items():
            ((number, url, *values),) = lines
            box = np.array(values[:4], dtype=float)
            assert number == "00000001" and values[4:] == ["4.00", "1.00", "1"]
            assert box[3] - box[1] == pytest.approx(118, abs=0.02)
            assert session.get(url, timeout=120).content == (crowd / "images" / f"{identity}.jpg").read_bytes()
        assert session.get(f"{site.address}/photos/../boxes.csv", timeout=120).status_code == 404
        assert not site.faults


def test_connections_stay_open(crowd: Path) -> None:
    with Site(crowd) as site, requests.Session() as session:
        for _ in range(3):
            answer = session.head(site.archive_address, timeout=120)
            assert answer.headers.get("Connection", "keep-alive") == "keep-alive" and answer.raw.version == 11
        pools = session.get_adapter(site.address).poolmanager.pools
        (pool,) = (pools[key] for key in pools.keys())  # noqa: SIM118 (not a mapping)
        assert (pool.num_requests, pool.num_connections) == (3, 1)


def test_every_fault_is_planted_and_the_road_tells_it(crowd: Path, tmp_path: Path) -> None:
    with Site(crowd, with_faults=True, delay=0.3) as site:
        assert Counter(site.faults.values()) == dict.fromkeys(FAULTS, 1)
        run("download", "lists", site.archive_address, "--data", str(tmp_path))
        run("download", "images", "--data", str(tmp_path), "--allow-private", "--backoff", "10ms", status=3)
    run("clean", "--data", str(tmp_path))
    became = outcomes(tmp_path)
    of = {fault: image_id for image_id, fault in site.faults.items()}
    ends = {fault: became[of[fault]] for fault in FAULTS if fault not in ("slow", "twice")}
    assert ends == {"missing": "http_404", "html": "not_image", "truncated": "truncated", "replaced": "faceless"}
    # It came whole: kept, unless clean sees that it is made of the same portrait as another one.
    assert became[of["slow"]] in ("kept", "duplicate")
    both = {became[of["twice"]], became[site.first_of[of["twice"]]]}
    assert "duplicate" in both and both <= {"kept", "duplicate"}
    assert len(became) == 13


def test_bad_folders(crowd: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        read_labels(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"boxes\.csv is not there"):
        read_labels(tmp_path)
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2\n")
    with pytest.raises(InputError, match="no column y2"):
        read_labels(tmp_path)
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2\n")
    with pytest.raises(InputError, match="names no photo"):
        read_labels(tmp_path)
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2\ngone.jpg,1,1,5,5\n")
    with pytest.raises(InputError, match=r"names gone\.jpg"):
        read_labels(tmp_path)
    with Site(crowd) as site, pytest.raises(InputError, match="port"):
        Site(crowd, port=int(site.address.rsplit(":")[-1]))
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2\na.png,1,1,5,5\n")
    (tmp_path / "a.png").write_bytes(ASTRONAUT.read_bytes())
    with pytest.raises(InputError, match="too few"):
        Site(tmp_path, with_faults=True)


def test_boxes_move_with_the_pixels() -> None:
    """Paint the box, transform, and find the paint where the box says."""
    picture = np.zeros((120, 90, 3), np.uint8)
    picture[40:80, 20:50] = 255
    photo = photos.LabelledPicture(picture, as_boxes([(20, 40, 50, 80)]))
    scene = photos.LabelledPicture(np.zeros((400, 500, 3), np.uint8), as_boxes([]))
    for moved in (photo.cropped(10, 5, 80, 100), photo.mirrored(), scene.with_pasted(photo.mirrored(), 33, 44)):
        ys, xs = np.nonzero(moved.picture[..., 0])
        assert moved.boxes[0].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    larger = photo.resized(360)
    assert larger.picture.shape == (360, 270, 3) and larger.boxes[0].tolist() == [60, 120, 150, 240]


def test_the_demo_keeps_one_person_out_of_training() -> None:
    parts = {name: split_of(name, "") for name in photos.FAMILIES}
    assert {part for name, part in parts.items() if not name.startswith("Joe_Biden")} == {"train"}
    assert Counter(part for name, part in parts.items() if name.startswith("Joe_Biden")) == {"val": 2, "test": 2}
    assert [parts[name] for name in HELD_OUT] == ["test", "test"]


def test_photos_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    count = photos.build(tmp_path / "a", seed=3, each=2)
    photos.build(tmp_path / "b", seed=3, each=2)
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").rglob("*.*")} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").rglob("*.*")
    }
    with (tmp_path / "a" / "boxes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (
        count
        == 2 * len(photos.FAMILIES)
        == len({row["image"] for row in rows})
        == len(list((tmp_path / "a" / "images").iterdir()))
    )
    for row in rows:
        x1, y1, x2, y2 = (float(row[side]) for side in ("x1", "y1", "x2", "y2"))
        assert 0 <= x1 < x2 <= float(row["width"]) and 0 <= y1 < y2 <= float(row["height"]) and x2 - x1 > 40


def test_portraits_that_cannot_be_fetched_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match="pip could not fetch face-recognition"):
        fetch(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    assert fetch().keys() == set(NAMES) and all((CACHE / name).is_file() for name in NAMES)


def run(*arguments: str, status: int = 0) -> None:
    done = typed("-m", *arguments)
    assert done.returncode == status, done.stderr
