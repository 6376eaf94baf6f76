"""UTKFace, FairFace and photos with masks into a data folder with attributes.csv. The photos are of real people."""

from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from dataset import tables
from dataset.formats import import_labels
from visavis.data import attributes
from visavis.errors import InputError

ASTRONAUT = Image.fromarray(data.astronaut())
HEAD = (125, 0, 325, 200)
"""A crop of the astronaut as UTKFace has them: 200 x 200, of which the face is the most."""


def crop(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    ASTRONAUT.crop(HEAD).save(path)
    return path


def test_utkface_and_fairface_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crop(tmp_path / "utk/41_1_0_20170109.jpg.chip.jpg")
    Image.new("RGB", (200, 200), "white").save(tmp_path / "utk/7_0_0_20170110.jpg")  # without a face
    crop(tmp_path / "utk/portrait.jpg")
    out = tmp_path / "people"
    assert import_labels("utkface", tmp_path / "utk", out) == (2, 1, 0)
    said = capsys.readouterr().err
    assert "1 photo is left out, as a name must begin with [age]_[gender]_: portrait.jpg" in said
    assert "1 photo shows no face that our detector finds, and nothing is learnt from them" in said
    (blank,) = [row for row in tables.rows(out / "faces.csv") if row["use"] == "ignore"]
    assert blank["image_id"] == "utkface/7_0_0_20170110"  # no negative: somebody is in it
    assert [float(blank[side]) for side in ("x1", "y1", "x2", "y2")] == [0, 0, 200, 200]
    crop(tmp_path / "fair/train/1.jpg")
    (tmp_path / "fair/fairface_label_train.csv").write_text(
        "file,age,gender,race,service_test\ntrain/1.jpg,more than 70,Female,White,True\n"
    )
    assert import_labels("fairface", tmp_path / "fair", out) == (1, 1, 0)
    told = attributes.read(out)
    assert told.keys() == {"utkface/41_1_0_20170109.jpg.chip", "fairface/train/1"}
    (one,) = told["utkface/41_1_0_20170109.jpg.chip"]
    assert (one.mask, one.gender, one.age) == ("none", "female", 41)
    assert one.box == pytest.approx((53, 60, 146, 181), abs=20)  # the face, 125 pixels to the left of its place
    (other,) = told["fairface/train/1"]
    assert (other.ages, other.age) == ((70, 120), None)
    assert len(list(tables.rows(out / "downloads.csv"))) == 3
    learnt = [row for row in tables.rows(out / "faces.csv") if row["use"] == "train"]
    assert {row["source"] for row in learnt} == {"import detected"} and len(learnt) == 2
    with pytest.raises(InputError, match="holds fairface/train/1 already"):
        import_labels("fairface", tmp_path / "fair", out)


def test_an_age_that_cannot_be_is_refused(tmp_path: Path) -> None:
    crop(tmp_path / "utk/200_1_0_1.jpg")
    with pytest.raises(InputError, match=r"200_1_0_1.jpg: its name says an age of 200, and 120 is the most"):
        import_labels("utkface", tmp_path / "utk", tmp_path / "people")


@pytest.mark.parametrize("row", ["1.jpg,30 to 39,Male", "1.jpg,39-30,Male", "1.jpg,30-39,unknown", ",30-39,Male"])
def test_a_row_of_fairface_that_cannot_be_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "table.csv").write_text(f"file,age,gender\n{row}\n")
    with pytest.raises(InputError, match=r"table.csv row 2: .*; mend the row"):
        import_labels("fairface", tmp_path / "table.csv", tmp_path / "people")


def scene(folder: Path, name: str = "with_mask") -> Path:
    for inside in ("images", "annotations"):
        (folder / inside).mkdir(parents=True)
    ASTRONAUT.save(folder / "images/a.png")
    (folder / "annotations/a.xml").write_text(
        "<annotation><filename>a.png</filename><size><width>512</width><height>512</height></size>"
        f"<object><name>{name}</name><bndbox><xmin>179</xmin><ymin>61</ymin><xmax>271</xmax><ymax>181</ymax></bndbox>"
        "</object></annotation>"
    )
    return folder


def test_scenes_and_crops_with_masks(tmp_path: Path) -> None:
    crop(tmp_path / "sorted/worn_wrong/00007_Mask_Chin.jpg")
    out = tmp_path / "people"
    assert import_labels("masks", scene(tmp_path / "street"), out) == (1, 1, 0)
    assert import_labels("masks", tmp_path / "sorted", out) == (1, 1, 0)
    told = attributes.read(out)
    assert [(one.mask, one.box) for one in told["street/a"]] == [("worn", (178, 60, 271, 181))]
    assert [one.mask for one in told["sorted/worn_wrong/00007_Mask_Chin"]] == ["wrong"]
    people = {row["image_id"]: row["identity"] for row in tables.rows(out / "labels.csv")}
    assert people["sorted/worn_wrong/00007_Mask_Chin"] == "sorted/00007"  # all masks drawn on one face stay together


def test_scenes_are_read_as_any_other_annotations_of_pascal_voc(tmp_path: Path) -> None:
    street = scene(tmp_path / "street")
    ASTRONAUT.resize((256, 256)).save(street / "images/a.png")
    path = street / "annotations/a.xml"
    path.write_bytes(b'<?xml version="1.0" encoding="gbk"?>' + path.read_bytes())
    assert import_labels("masks", street, tmp_path / "people") == (1, 1, 0)
    assert attributes.read(tmp_path / "people")["street/a"][0].box == (89, 30, 135.5, 90.5)


def test_an_unknown_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.xml object 1: unknown class 'hat'; there are with_mask, worn"):
        import_labels("masks", scene(tmp_path / "street", "hat"), tmp_path / "people")


def test_labels_of_another_kind_are_not_joined(tmp_path: Path) -> None:
    crop(tmp_path / "people.jpg")
    (tmp_path / "boxes.csv").write_text("image,x1,y1,x2,y2\npeople.jpg,53,60,146,181\n")
    import_labels("csv", tmp_path / "boxes.csv", tmp_path / "people")
    crop(tmp_path / "utk/41_1_0_1.jpg")
    with pytest.raises(InputError, match="already holds labels"):
        import_labels("utkface", tmp_path / "utk", tmp_path / "people")
