"""Label Studio's own exports."""

import json
from pathlib import Path

import pytest
from labelling import FACE, all_boxes, oriented
from PIL import Image
from skimage import data
from typed import typed

from dataset import formats
from dataset.photos import load_photos
from visavis.errors import InputError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with images/a.jpg of 512 x 400 pixels, upright."""
    (tmp_path / "images").mkdir()
    Image.fromarray(data.astronaut()[:400]).save(tmp_path / "images" / "a.jpg")
    return tmp_path


def region(value: dict | None = None, **more: object) -> dict:
    """A rectangle as Label Studio writes it: FACE in percent of 512 x 400 pixels."""
    held = {"x": 35.15625, "y": 17.0, "width": 17.96875, "height": 29.5, "rotation": 0, "rectanglelabels": ["face"]}
    sizes = {"original_width": 512, "original_height": 400, "image_rotation": 0}
    named = {
        "id": "Dx_aB91ISN",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "origin": "manual",
    }
    return sizes | named | {"value": held | (value or {})} | more


def task(*regions: dict, image: str = "/data/upload/1/0a1b2c3d-a.jpg", **more: object) -> dict:
    annotation = {"id": 1, "was_cancelled": False, "ground_truth": False, "updated_at": "2026-11-29T06:00:00.1Z"}
    return {
        "id": 1,
        "data": {"image": image},
        "annotations": [annotation | {"result": list(regions)} | more],
        "predictions": [],
    }


TURNED = {"x": 44.140625, "y": 31.75, "width": 17.96875, "height": 29.5, "rotation": 90}  # about its corner (226, 127)


@pytest.mark.parametrize(
    ("one", "box"),
    [
        (region(), FACE),
        (region(TURNED), (108, 127, 226, 219)),
        (region({"rotation": 30}), (140.77, 86.07, 239.91, 198.13)),  # the centre is at (190.34, 142.10)
        (
            region(
                type="polygonlabels",
                value={"points": [[35.15625, 25], [53.125, 17], [40, 46.5]], "polygonlabels": ["face"]},
            ),
            FACE,
        ),
        (
            region(
                type="ellipselabels",
                value={"x": 44.140625, "y": 31.75, "radiusX": 8.984375, "radiusY": 14.75, "ellipselabels": ["face"]},
            ),
            FACE,
        ),
        (
            region(
                type="labels", value={"x": 35.15625, "y": 17, "width": 17.96875, "height": 29.5, "labels": ["face"]}
            ),
            FACE,
        ),
        (region(type="rectangle", value={"x": 35.15625, "y": 17, "width": 17.96875, "height": 29.5}), FACE),
        (region(original_width=256, original_height=200), FACE),  # labelled when it was smaller: shares stay
    ],
)
def test_label_studios_shapes(photo: Path, one: dict, box: tuple[float, ...]):
    (photo / "export.json").write_text(json.dumps([task(one)]))
    assert formats.guess(photo / "export.json") == "label-studio"
    (found,) = all_boxes("label-studio", photo / "export.json")["a"]
    assert found == pytest.approx(box, abs=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "/data/local-files/?d=photos/more/a.jpg",
        "/data/local-files/?d=somewhere%20else/a.jpg",
        "s3://bucket/set/a.jpg",
        "https://example.com/images/a.jpg?token=x",
        "/data/upload/17/images/0a1b2c3d-a.jpg",
    ],
)
def test_label_studios_names_of_photos(photo: Path, name: str):
    (photo / "export.json").write_text(json.dumps([task(region(), image=name)]))
    assert list(all_boxes("label-studio", photo / "export.json").values()) == [[list(FACE)]]


def test_label_studios_short_form_takes_the_last_of_two_annotations(photo: Path):
    """JSON-MIN has an entry an annotation; a task without a region has no list."""
    Image.fromarray(data.coffee()).save(photo / "images/b.png")
    flat = {key: value for key, value in region().items() if key.startswith("original")} | region()["value"]
    short = {"image": "/data/upload/1/0a1b2c3d-a.jpg", "id": 1, "annotator": 1, "lead_time": 3.2}
    old = short | {"label": [flat | {"x": 1.0}], "annotation_id": 5, "updated_at": "2026-11-28T06:00:00.1Z"}
    new = short | {"label": [flat], "annotation_id": 4, "updated_at": "2026-11-29T06:00:00.1Z"}
    none = {"image": "/data/upload/1/4e5f6a7b-b.png", "id": 2, "annotator": 1, "annotation_id": 6}
    (photo / "export.json").write_text(json.dumps([new, old, none]))
    assert all_boxes("label-studio", photo / "export.json") == {"a": [list(FACE)], "b": []}


def test_label_studios_tasks_that_nobody_labelled_and_that_two_did(photo: Path):
    for name in ("b", "c", "d"):
        Image.fromarray(data.coffee()).save(photo / f"images/{name}.png")
    truth = task(region({"x": 1.0}), updated_at="2026-11-30")
    truth["annotations"] += task(region(), ground_truth=True)["annotations"]
    held = [truth, task(image="b.png") | {"id": 2}, task(region(), image="c.png", was_cancelled=True) | {"id": 3}]
    held.append({"id": 4, "data": {"image": "d.png"}, "annotations": [], "predictions": [{"result": [region()]}]})
    (photo / "export.json").write_text(json.dumps(held))
    words = ("import", "label-studio", photo / "export.json", "--out", photo / "out")
    done = typed("-m", "dataset", *words)
    assert done.returncode == 0 and "2 tasks were not labelled, or skipped; left out: c.png; d.png" in done.stderr
    assert "1 task has several annotations" in done.stderr and "a.jpg (2)" in done.stderr
    assert {one.image_id: one.boxes.tolist() for one in load_photos(photo / "out")} == {"a": [list(FACE)], "b": []}


@pytest.mark.parametrize("orientation", [3, 6])
def test_label_studios_boxes_are_of_the_photo_as_displayed(photo: Path, orientation: int):
    """Whatever size it has for the photo: the browser's, or that of the file."""
    oriented(photo, orientation, side=400)  # 6: displayed 400 x 512
    (photo / "export.json").write_text(json.dumps([task(region())]))
    expected = {3: [180, 68, 272, 186], 6: [140.62, 87.04, 212.5, 238.08]}
    assert all_boxes("label-studio", photo / "export.json") == {"a": [expected[orientation]]}


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({}, "not an export of Label Studio"),
        ([5], "task 0 is not a task"),
        ([{"id": 7, "data": {"text": "face"}, "annotations": []}], r"task 7 does not say which .* photo \(text\)"),
        ([task(region(original_width=300))], "labels for 300 x 400 pixels, and the photo has 512 x 400"),
        ([task(region({"x": None}))], "task 1 region 1: 'None .* are not numbers"),
        ([task(region({"points": [[1, 2]]}))], r"points is \[\[1, 2\]\], not three"),
        ([task() | {"annotations": 5}], "annotations is not a list"),
        ([task() | {"annotations": [5]}], "annotations is not a list"),
    ],
)
def test_label_studio_that_cannot_be_is_refused(photo: Path, held: object, message: str):
    (photo / "export.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=message):
        all_boxes("label-studio", photo / "export.json")
