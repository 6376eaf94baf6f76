"""The tables joined and held as arrays; items that depend on nothing but seed, epoch and number."""

import pickle
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from photo_tables import downloads, labels
from PIL import Image
from skimage import data
from typed import typed

from dataset import tables
from dataset.faces import FaceDataset
from dataset.loader import loader
from dataset.photos import Photo, Photos, load_photos
from dataset.split import Shares
from dataset.transforms import PRESETS, preset
from visavis.boxes import as_boxes
from visavis.detectors.faster_rcnn.architectures import build
from visavis.errors import InputError

LABELS = "image_id,identity,url,x1,y1,x2,y2,pose,score,curated\n"
FACES = "image_id,x1,y1,x2,y2,source,use\n"

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
BOXES = st.integers(0, 4).flatmap(
    lambda count: arrays(np.float32, (count, 4), elements=st.floats(-1000, 1000, width=32))
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photos of an astronaut under six names."""
    ids = [f"Person_{number}/1" for number in range(6)]
    for name in ids:
        (tmp_path / "images" / name).parent.mkdir(parents=True)
        Image.fromarray(data.astronaut()).save(tmp_path / "images" / f"{name}.jpg")
    labels(tmp_path, ids)
    downloads(tmp_path, ids)
    return tmp_path


@given(st.lists(st.builds(
    Photo, TEXT, TEXT, st.sampled_from([Path("a/b.jpg"), Path("/ä ö/\udce4.png")]), BOXES, BOXES,
    st.sampled_from(["train", "val", "test", ""]), st.tuples(st.integers(0, 9000), st.integers(0, 9000)),
), max_size=6))  # fmt: skip
def test_arrays_give_back_what_went_in(photos: list[Photo]) -> None:
    packed = pickle.loads(pickle.dumps(Photos(photos)))
    assert len(packed) == len(photos)
    for before, after in zip(photos, packed, strict=True):
        assert (before.image_id, before.identity, before.path) == (after.image_id, after.identity, after.path)
        assert (before.side, before.size) == (after.side, after.size)
        np.testing.assert_array_equal(before.boxes, after.boxes)
        np.testing.assert_array_equal(before.ignore, after.ignore)
    assert [one.image_id for one in packed[::-1]] == [one.image_id for one in photos][::-1]
    with pytest.raises(IndexError):
        packed[len(photos)]


def test_a_million_rows_are_a_few_arrays(tmp_path: Path) -> None:
    """What pickles is what a loading process has to hold: about a hundred bytes a photo, in a few objects."""
    many = Photos(Photo(f"Somebody_{n}/{n:08}", f"Somebody_{n}", tmp_path / f"{n:08}.jpg", as_boxes([[1, 2, 3, 4]]))
                  for n in range(5000))  # fmt: skip
    assert len(pickle.dumps(many)) < 5000 * (len(str(tmp_path)) + 120)
    assert sum(isinstance(value, (list, dict)) for value in vars(many).values()) == 1  # left_out, empty
    assert many[4999].image_id == "Somebody_4999/00004999" and sys.getsizeof(many.left_out) < 100


def test_too_little_of_a_face_is_told_by_row(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(tables.rows(folder / "labels.csv"))
    rows[1] |= {"x1": "-200", "x2": "30"}  # 13 % of it lie in the photo
    rows.append(rows[2] | {"x1": "10", "y1": "10", "x2": "13", "y2": "40"})
    tables.write(folder / "labels.csv", rows)
    photos = Photos.load(folder)
    said = capsys.readouterr().err
    assert "2 labels are too little of a face to learn from, and ignored" in said
    assert "labels.csv row 3: 30 x 135 pixels of it, 13%, lie in Person_1/1" in said
    assert [(table, line) for table, line, _ in photos.left_out] == [("labels.csv", 3), ("labels.csv", 8)]
    _, target = FaceDataset(photos, preset("none"))[1]
    assert len(target["boxes"]) == 0 and target["ignore"].tolist() == [[0, 70, 30, 205]]
    done = typed("-m", "dataset", "summary", "--data", folder)
    assert done.stdout.splitlines()[-2].split()[:5] == ["all", "6", "7", "0", "2"]


@pytest.mark.parametrize(
    "table, text, message",
    [
        ("labels.csv", "image_id,identity\n", "labels.csv: no column url, x1"),
        ("labels.csv", LABELS + "a/1,a,,1,2,x,4,,,\n", "labels.csv row 2: x2 is 'x'"),
        ("labels.csv", LABELS + "a/1,a,,1,2,3,4,,,\na/1,b,,1,2,3,4,,,\n",
         "labels.csv row 3: a/1 is 'b', and 'a' above"),
        ("faces.csv", FACES + "Who/1,1,2,3,4,list,train\n", "faces.csv row 2: labels.csv has no 'Who/1'"),
        ("faces.csv", FACES + "Person_1/1,1,2,3,4,list,maybe\n", "faces.csv row 2: use is 'maybe'"),
        ("clean.csv", "image_id,keep,reason,detail\nWho/1,0,,\n", "clean.csv row 2: neither labels.csv nor"),
        ("clean.csv", "image_id,keep,reason,detail\nPerson_1/1,yes,,\n", "clean.csv row 2: keep is 'yes'"),
    ],
)  # fmt: skip
def test_bad_tables_end_with_file_row_and_status_2(folder: Path, table: str, text: str, message: str) -> None:
    (folder / table).write_text(text)
    done = typed("-m", "dataset", "summary", "--data", folder)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_two_photos_with_one_id(folder: Path) -> None:
    (folder / "images/Person_1/1.png").write_bytes((folder / "images/Person_1/1.jpg").read_bytes())
    rows = list(tables.rows(folder / "downloads.csv"))
    tables.write(folder / "downloads.csv", [*rows, rows[1] | {"path": "images/Person_1/1.png"}])
    with pytest.raises(
        InputError, match=r"downloads.csv row 8: two photos for Person_1/1: .*1\.png, and .*1\.jpg above"
    ):
        load_photos(folder)
    (folder / "downloads.csv").unlink()
    with pytest.raises(InputError, match=r"labels.csv: two photos for Person_1/1: 1\.jpg and 1\.png"):
        load_photos(folder)


def test_a_split_too_small_to_hold_anybody(folder: Path) -> None:
    with pytest.raises(InputError, match=r"labels.csv: no photo in the split 'val': a share of 0.0001 of 6 identities"):
        load_photos(folder, "val", Shares(0.0001, 0))
    sides = {photo.image_id: photo.side for photo in load_photos(folder, "all", Shares(0.7, 0.3))}
    assert set(sides.values()) == {"val", "test"}
    assert {p.image_id for p in load_photos(folder, "val", Shares(0.7, 0.3))} == {n for n in sides if sides[n] == "val"}
    for wrong in ((0.6, 0.6), (-0.1, 0.1), (float("nan"), 0)):
        with pytest.raises(InputError, match="give shares of 0 to 1 that add up to 1 at most"):
            load_photos(folder, "all", Shares(*wrong))


def test_photos_that_look_alike_stay_together(folder: Path) -> None:
    alone = {photo.image_id: photo.side for photo in load_photos(folder, "all", Shares(0.7, 0))}
    val, train = (next(n for n in alone if alone[n] == side) for side in ("val", "train"))
    (folder / "groups.csv").write_text(f"image_id,group\n{val},1\n{train},1\n")
    together = {photo.image_id: photo.side for photo in load_photos(folder, "all", Shares(0.7, 0))}
    # Two people in one group: neither the photo nor a person may be on two sides, so the second photo is on none.
    assert sorted(together[name] for name in (val, train)) in (["", "train"], ["", "val"])
    assert {name: side for name, side in together.items() if name not in (val, train)}.items() <= alone.items()


def test_dropped_photos_come_when_asked_for(folder: Path) -> None:
    tables.write(folder / "clean.csv", [{"image_id": "Person_2/1", "keep": 0, "reason": "faceless"}])
    assert len(load_photos(folder)) == 5
    assert {p.image_id: p.side for p in load_photos(folder, dropped=True)}["Person_2/1"] == ""
    assert "Person_2/1" not in {p.image_id for p in load_photos(folder, "train", Shares(0, 0), dropped=True)}


def test_unreadable_photos_of_all_workers_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Person_1", "Person_4"):
        (folder / f"images/{name}/1.jpg").write_bytes(b"no photo")
    dataset = FaceDataset.of(folder, "all", preset("none"))
    batches = loader(dataset, [[(1, n, n), (1, n + 1, n + 1)] for n in (0, 2, 4)], workers=2)
    shown = [target["image_id"] for _, targets in batches for target in targets]
    assert shown == [0, 2, 2, 3, 5, 5] and dataset.unreadable == 2
    assert dataset.tell_unreadable() == 2 and dataset.unreadable == 0
    assert "2 of 6 photos could not be read in this epoch" in capsys.readouterr().err
    assert dataset.tell_unreadable() == 0 and capsys.readouterr().err == ""


def test_with_a_seed_items_depend_on_epoch_and_number_alone(folder: Path) -> None:
    dataset = FaceDataset.of(folder, "all", preset("full"), seed=7)
    before = torch.get_rng_state()
    alone = [dataset[index] for index in range(6)]
    assert torch.equal(before, torch.get_rng_state())
    for workers in (0, 2):
        for images, targets in loader(dataset, [[(0, n, n), (0, n + 1, n + 1)] for n in (0, 2, 4)], workers):
            for image, target in zip(images, targets, strict=True):
                expected, known = alone[target["image_id"]]
                assert torch.equal(image, expected) and target.keys() == known.keys()
                for name, value in known.items():
                    assert type(target[name]) is type(value) and torch.equal(
                        *map(torch.as_tensor, (target[name], value))
                    )
                assert target["ignore"].canvas_size == known["ignore"].canvas_size == tuple(image.shape[1:])
    for other in ((1, 0, 0), (0, 1, 0)):  # another epoch, another place
        image, target = dataset[other]
        assert image.shape != alone[0][0].shape or not torch.equal(image, alone[0][0])
        assert target["draw"] != alone[0][1]["draw"]


@pytest.mark.parametrize("name", PRESETS)
def test_all_of_it_can_be_sent_to_a_process_that_is_begun_anew(folder: Path, name: str) -> None:
    """Where processes cannot be forked, the dataset is pickled for them; it gives the same there."""
    dataset = FaceDataset.of(folder, "all", preset(name), seed=7)
    again = pickle.loads(bytes(ForkingPickler.dumps(dataset)))
    for key in ((1, 0, 0), (1, 1, 4), (2, 0, 0)):
        (image, target), (other, known) = again[key], dataset[key]
        assert torch.equal(image, other) and torch.equal(target["boxes"], known["boxes"])


def test_a_process_that_is_spawned_loads_the_same(folder: Path) -> None:
    dataset = FaceDataset.of(folder, "all", preset("full"), seed=7)
    batches = [[(1, 0, 0), (1, 1, 4)]]
    ((images, _),) = loader(dataset, batches, workers=1, start="spawn")
    assert all(torch.equal(image, dataset[key][0]) for image, key in zip(images, batches[0], strict=True))


@pytest.mark.parametrize("name", PRESETS)
def test_bytes_are_the_same_picture_and_the_network_takes_both(folder: Path, name: str) -> None:
    photos = Photos.load(folder, "all")
    plain, small = (FaceDataset(photos, preset(name), seed=7, as_bytes=wanted) for wanted in (False, True))
    transform = build("mobilenet_v2_fpn").transform.eval()
    for key in ((1, 0, 0), (1, 1, 4), (2, 0, 0)):
        (image, _), (less, _) = plain[key], small[key]
        assert (image.dtype, less.dtype) == (torch.float32, torch.uint8)
        assert torch.equal(image, less.float() / 255)
        assert torch.equal(transform([image])[0].tensors, transform([less])[0].tensors)
