"""Tables, splits, the dataset and its transforms, on a data folder of real photos."""

import csv
import random

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.measure import label, regionprops

from dataset import tables
from dataset.__main__ import Import, Sheet, Summary, import_boxes, sheet, summary
from dataset.faces import FaceDataset, load_photos
from dataset.loader import collate
from dataset.split import Shares, sides, split_of
from dataset.transforms import PRESETS, preset
from visavis.errors import InputError

FACE = (175.0, 70.0, 280.0, 205.0)  # of skimage's astronaut


@pytest.fixture
def folder(tmp_path):
    """Five photos of an astronaut under four names, one of nobody, one that is torn, one that was dropped."""
    ids = [f"Person_{number}/0000000{number}" for number in range(1, 5)] + ["Person_1/00000009", "Torn/1", "Gone/1"]
    for image_id in ids:
        path = tmp_path / "images" / f"{image_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.astronaut()).save(path)
    (tmp_path / "images/Torn/1.jpg").write_bytes((tmp_path / "images/Torn/1.jpg").read_bytes()[:9000])
    Image.fromarray(data.coffee()).save(tmp_path / "images/nobody.jpg")
    sides = dict(zip(("x1", "y1", "x2", "y2"), FACE, strict=True))
    tables.write(
        tmp_path / "labels.csv",
        [{"image_id": name, "identity": name.split("/")[0], "url": "", **sides} for name in ids],
    )
    tables.write(
        tmp_path / "downloads.csv",
        [{"image_id": name, "status": "ok", "path": f"images/{name}.jpg"} for name in [*ids, "nobody"]],
    )
    tables.write(tmp_path / "clean.csv", [{"image_id": "Gone/1", "keep": 0, "reason": "duplicate"}])
    return tmp_path


def test_photos_join_the_tables(folder):
    photos = {photo.image_id: photo for photo in load_photos(folder)}
    assert "Gone/1" not in photos and len(photos) == 7
    assert photos["nobody"].boxes.shape == (0, 4) and photos["nobody"].identity == ""
    np.testing.assert_allclose(photos["Person_2/00000002"].boxes, [FACE])


def test_faces_csv_says_all_about_the_photos_that_it_names(folder):
    face = {"image_id": "Person_2/00000002", "x1": 1, "y1": 2, "x2": 30, "y2": 40}
    tables.write(
        folder / "faces.csv",
        [
            face | {"source": "list", "use": "train"},
            face | {"x2": 50, "source": "finder", "use": "ignore"},
            face | {"image_id": "Person_3/00000003", "source": "finder", "use": "ignore"},
        ],
    )
    photos = {photo.image_id: photo for photo in load_photos(folder)}
    assert photos["Person_2/00000002"].boxes.tolist() == [[1, 2, 30, 40]]
    assert photos["Person_2/00000002"].ignore.tolist() == [[1, 2, 50, 40]]
    assert len(photos["Person_3/00000003"].boxes) == 0 and len(photos["Person_3/00000003"].ignore) == 1
    assert photos["Person_4/00000004"].boxes.tolist() == [list(FACE)]


def test_items_are_what_torchvision_wants_and_a_torn_photo_costs_one_line(folder, capsys):
    photos = load_photos(folder)
    dataset = FaceDataset(photos, preset("none"))
    items = [dataset[index] for index in range(len(dataset))]
    images, targets = collate(items)
    assert all(image.dtype == torch.float32 and image.max() <= 1 for image in images)
    torn = next(index for index, photo in enumerate(photos) if photo.image_id == "Torn/1")
    assert dataset.unreadable == 1 and targets[torn]["image_id"] != torn
    assert "Torn/1.jpg: truncated" in capsys.readouterr().err
    for target in targets:
        count = len(target["boxes"])
        assert target["labels"].tolist() == [1] * count and target["iscrowd"].tolist() == [0] * count
        assert target["area"].shape == (count,)


POORER = "Noisy", "Screened", "Shaken", "Striped"


@pytest.mark.parametrize("name", PRESETS)
def test_boxes_stay_on_what_they_frame(tmp_path, monkeypatch, name):
    """A white rectangle in a black picture, and its box: after any transform they still coincide."""
    monkeypatch.setattr("dataset.transforms.HIDDEN", 0.0)  # what is drawn over a face hides it, as it should
    # Where there are two greys, zoom-out's ground becomes as light as the face; noise lightens single pixels.
    for changed in ("torchvision.transforms.v2.RandomEqualize", *(f"dataset.augmentations.{one}" for one in POORER)):
        monkeypatch.setattr(f"{changed}.transform", lambda _, picture, parameters: picture)
    chance = random.Random(4)
    checked = 0
    for number in range(60):
        torch.manual_seed(number)
        x1, y1 = chance.randrange(5, 120), chance.randrange(5, 90)
        x2, y2 = x1 + chance.randrange(20, 70), y1 + chance.randrange(20, 50)
        picture = np.zeros((150, 200, 3), np.uint8)
        picture[y1:y2, x1:x2] = 255
        path = tmp_path / f"{number}.png"
        Image.fromarray(picture).save(path)
        from dataset.faces import Photo
        from visavis.boxes import as_boxes

        image, target = FaceDataset([Photo("a/1", "a", path, as_boxes([[x1, y1, x2, y2]]))], preset(name))[0]
        # Zoom-out's grey ground stays below, but for what JPEG makes of its edge.
        spots = label((image.amin(dim=0) > 0.62).numpy())
        if len(target["boxes"]) == 0 or image.quantile(0.99) < 0.8:  # no face left in it, or too dark to tell
            continue
        checked += 1
        top, left, bottom, right = max(regionprops(spots), key=lambda one: one.area).bbox
        # Blur and JPEG move an edge by a pixel; geometry alone moves it by nothing.
        assert np.abs(target["boxes"][0].numpy() - [left, top, right, bottom]).max() <= (2 if name == "full" else 0.5)
    assert checked > 40


def test_a_face_too_small_or_mostly_outside_is_ignored_not_background(tmp_path):
    from dataset.faces import Photo
    from visavis.boxes import as_boxes

    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    stored = as_boxes([FACE, (10, 10, 13, 30), (-90, 0, 10, 100), (600, 0, 700, 100)])
    _, target = FaceDataset([Photo("a/1", "a", tmp_path / "a.png", stored)], preset("none"))[0]
    assert target["boxes"].tolist() == [list(FACE)]
    assert target["ignore"].tolist() == [[10, 10, 13, 30], [0, 0, 10, 100]]


def test_splits_go_by_identity_and_stay():
    names = [f"Person_{number}" for number in range(2000)]
    sides = {name: split_of(name, f"{name}/1") for name in names}
    assert all(sides[name] == split_of(name, f"{name}/2") for name in names)
    shares = {side: list(sides.values()).count(side) / 2000 for side in ("train", "val", "test")}
    assert abs(shares["val"] - 0.1) < 0.03 and abs(shares["test"] - 0.1) < 0.03
    assert {split_of("", f"x/{number}", Shares(0.5, 0)) for number in range(50)} == {"train", "val"}


def test_photos_that_look_alike_are_never_on_two_sides(folder):
    shares = Shares(0.3, 0.3)
    identities = {f"x/{number}": "" for number in range(60)}  # of nobody: each would stand for itself
    identities |= {f"P{number}/{photo}": f"P{number}" for number in range(60) for photo in (1, 2)}
    alone = sides(identities, {}, shares)
    assert {one: alone[one] for one in identities} == {
        one: split_of(identities[one], one, shares) for one in identities
    }
    groups = {f"x/{number}": f"x/{number // 3}" for number in range(60)}
    groups |= {f"P{number}/1": f"P{number // 2}/1" for number in range(60)}
    found = sides(identities, groups, shares)
    for name in set(groups.values()):
        assert len({found[one] for one, group in groups.items() if group == name} - {""}) == 1
    for one, identity in identities.items():  # nobody moves, though some must go
        assert found[one] in ("", alone[one]) or not identity
        assert found[one] or one in groups
    assert "" in found.values()
    # So is what is loaded; a group is led by its first photo that is kept, not by one that was dropped.
    names = ["Person_1/00000001", "Person_1/00000009", *(f"Person_{number}/0000000{number}" for number in (2, 3, 4))]
    tables.write(folder / "groups.csv", [{"image_id": one, "group": "Gone/1"} for one in ["Gone/1", *names]])
    shares = Shares(0.5, 0.3)  # Person_1 and Person_2 train, the others test
    side = split_of("Person_1", names[0], shares)
    expected = [one for one in names if split_of(one.split("/")[0], one, shares) == side]
    assert 2 <= len(expected) < len(names)
    loaded = {part: [p.image_id for p in load_photos(folder, part, shares)] for part in ("all", side)}
    assert [one for one in loaded[side] if one in names] == expected
    assert set(names) < set(loaded["all"])


def test_bad_tables_are_told_with_file_and_row(folder):
    (folder / "clean.csv").write_text("image_id,keep\n")
    with pytest.raises(InputError, match=r"clean\.csv: no column reason, detail"):
        load_photos(folder)
    tables.write(folder / "clean.csv", [])
    with pytest.raises(InputError, match="no split"):
        load_photos(folder, "training")
    (folder / "faces.csv").write_text("image_id,x1,y1,x2,y2,source,use\nWho/1,1,2,3,4,list,train\n")
    with pytest.raises(InputError, match=r"faces.csv row 2: labels.csv has no 'Who/1'"):
        load_photos(folder)
    (folder / "faces.csv").write_text("image_id,x1,y1,x2,y2,source,use\nTorn/1,1,2,nan,4,list,train\n")
    with pytest.raises(InputError, match=r"faces.csv row 2: x2 is 'nan', not a number"):
        load_photos(folder)
    (folder / "faces.csv").write_text("image_id,x1,y1,x2,y2,source,use\nTorn/1,9,2,3,4,list,train\n")
    with pytest.raises(InputError, match=r"faces.csv row 2: the box"):
        load_photos(folder)
    with pytest.raises(InputError, match="no data folder"):
        load_photos(folder / "nowhere")


def test_an_appended_table_survives_a_torn_row(tmp_path):
    path = tmp_path / "clean.csv"
    with tables.Appender(path) as table:
        table.add({"image_id": "a/1", "keep": 1, "reason": "", "detail": 'a "quoted", word'})
    with path.open("a") as file:
        file.write("b/2,0,corr")
    assert [row["image_id"] for row in tables.rows(path)] == ["a/1"]
    with tables.Appender(path) as table:
        table.add({"image_id": "c/3", "keep": 1, "reason": "", "detail": ""})
    assert [row["image_id"] for row in tables.rows(path)] == ["a/1", "c/3"]


def test_a_replaced_table_stays_when_writing_fails(tmp_path):
    path = tmp_path / "clean.csv"
    tables.write(path, [{"image_id": "a/1", "keep": 1}])

    def broken():
        yield {"image_id": "b/2", "keep": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tables.write(path, broken())
    assert [row["image_id"] for row in tables.rows(path)] == ["a/1"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["clean.csv"]


def test_import_summary_and_sheet(tmp_path, capsys):
    source = tmp_path / "mine"
    (source / "images/a").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save(source / "images/a/one.jpg")
    Image.fromarray(data.coffee()).save(source / "images/empty.png")
    (source / "images/text.jpg").write_text("no picture")
    with (source / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("image", "x1", "y1", "x2", "y2"), ("a/one.jpg", *FACE), ("a/one.jpg", 1, 2, 30, 40)])
        writer.writerows([("empty.png", "", "", "", ""), ("text.jpg", 1, 1, 5, 5)])
    out = tmp_path / "data"
    assert import_boxes(Import((str(source / "boxes.csv"),), out)) == 3
    photos = {photo.image_id: photo for photo in load_photos(out)}
    assert set(photos) == {"a/one", "empty"} and len(photos["a/one"].boxes) == 2
    assert next(row for row in tables.rows(out / "downloads.csv") if row["image_id"] == "text")["reason"] == "not_image"
    assert summary(Summary(out)) == 0
    assert capsys.readouterr().out.splitlines()[-2].split()[:3] == ["all", "2", "2"]
    assert sheet(Sheet(out, tmp_path / "sheet.jpg", "all", "full", 8)) == 0
    assert Image.open(tmp_path / "sheet.jpg").width > 400
    with pytest.raises(InputError, match="already"):
        import_boxes(Import((str(source / "boxes.csv"),), out))
    (source / "bad.csv").write_text("image,x1,y1,x2,y2\n../secret.jpg,1,2,3,4\n")
    with pytest.raises(InputError, match="row 2"):
        import_boxes(Import(("csv", str(source / "bad.csv")), tmp_path / "data2"))
