"""Networks that tell mask, age and gender: their labels, their losses, and that train.py trains and resumes them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from attribute_labels import HEADS, SIDE, asked, make_people
from training import RECORD, interrupt, learn, make_folder, same, weights

import train
from dataset import tables
from dataset.crops import CropDataset
from dataset.photos import Photos
from dataset.subjects.attributes import Attributes
from visavis import checkpoint, load_analyser, load_detector
from visavis.analysers.attributes import kind, network
from visavis.analysers.attributes.analyser import SHIPPED, FaceAttributes, Network
from visavis.analysers.attributes.designs import YEARS
from visavis.analysers.crops import cut, square
from visavis.analysers.protocol import Analysers
from visavis.calibration import Calibration
from visavis.data import attributes
from visavis.data.attributes import KnownAttributes
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import read
from visavis.training.distributed import World
from visavis.training.stopping import Stop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train.train(asked(folder, out, epochs=2)) == 0
    return out


def test_a_run_leaves_what_those_of_detectors_leave(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RECORD
    metadata = checkpoint.metadata(trained / "last.safetensors")
    assert {name: metadata[name] for name in ("kind", "arch", "heads", "side", "margin", "norms")} == {
        "kind": "face_attributes",
        "arch": "face_attributes",
        "heads": {"mask": 3, "age": 101, "gender": 2},
        "side": 96,
        "margin": 1.05,
        "norms": True,
    }
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "loss_mask", "loss_age", "loss_gender", "lr"} <= lines[0].keys()
    assert lines[-1]["epoch"] == 2 and lines[-1]["mask_faces"] + lines[-1]["gender_faces"] > 0


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(folder: Path, trained: Path, tmp_path: Path) -> None:
    given = asked(folder, tmp_path / "broken", epochs=2)
    interrupt(given, 2)  # in the middle of the first epoch
    assert learn(train.Options(out=given.out, resume=True)) == 0
    assert same(weights(given.out), weights(trained))


def test_options_of_detectors_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`mosaic` means nothing to face_attributes"):
        train.train(asked(folder, tmp_path / "run", mosaic=128))


def test_a_part_of_which_nothing_is_told_is_refused(folder: Path, tmp_path: Path) -> None:
    few = make_folder(tmp_path / "few", people=12, side=SIDE)
    rows = [row for row in tables.rows(folder / "attributes.csv") if row["image_id"] == "P1/1"]
    tables.write(few / "attributes.csv", rows)
    with pytest.raises(InputError, match=r"attributes.csv has no mask or age or gender of a face in the split 'val'"):
        train.train(asked(few, tmp_path / "run"))


def test_what_nobody_said_stays_out_of_the_loss() -> None:
    logits = {name: torch.zeros(2, count, requires_grad=True) for name, count in HEADS.items()}
    truth = {
        "mask": torch.tensor([0, -1]),
        "gender": torch.tensor([-1, -1]),
        "age_low": torch.tensor([-1.0, 20.0]),
        "age_high": torch.tensor([-1.0, 29.0]),
    }
    given = network.losses(logits, truth)
    # A mask of three alike, of weight 2 and one picture of two; a group of 10 of 101 years, of weight 0.5; the mean of
    # all years, 50, is 21 too many.
    assert given["loss_mask"].item() == pytest.approx(np.log(3), abs=1e-6)
    assert given["loss_gender"].item() == 0
    assert given["loss_age"].item() == pytest.approx(0.5 * (np.log(101 / 10) + 0.1 * 21) / 2, abs=1e-5)
    torch.stack(list(given.values())).sum().backward()
    assert logits["mask"].grad is not None and logits["age"].grad is not None
    assert not logits["mask"].grad[1].any() and not logits["age"].grad[0].any()


def test_a_known_age_is_nearly_one_year() -> None:
    sure = torch.full((1, YEARS), -50.0)
    sure[0, 30] = 0
    right, off = (network.age_loss(sure, torch.tensor([age]), torch.tensor([age])).item() for age in (30.0, 40.0))
    assert right < off and off - right > 0.1 * 10  # ten years off cost more than their 0.1 each


def test_a_group_of_less_than_a_year_is_learnt_like_any_other() -> None:
    sure = torch.full((1, YEARS), -50.0)
    sure[0, 30:32] = 0
    loss = network.age_loss(sure, torch.tensor([30.2]), torch.tensor([30.8])).item()
    assert loss == pytest.approx(0, abs=1e-5)


def test_faces_of_photos_that_cannot_be_read_are_not_judged_by_others(folder: Path, tmp_path: Path) -> None:
    some = shutil.copytree(folder, tmp_path / "some")
    (some / "images/P3/1.png").write_bytes(b"torn")
    subject = Attributes(some, [], list(Photos.load(some)))
    uniform = {name: torch.full((1, count), 1 / count) for name, count in HEADS.items()}

    class Even(torch.nn.Module):
        side, margin, predicts = 64, 1.05, HEADS

        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {name: one.expand(len(images), -1) for name, one in uniform.items()}

    given = Even(), torch.device("cpu"), World(), Stop(lambda: None), "face_attributes", Calibration()
    outcome = subject.judged(*given)
    assert outcome is not None and len(outcome.labels) == len(outcome.given["age"]) == 11
    told = {photo.image_id: subject.known[photo.image_id][0].ages for photo in subject.held_out}
    right = [ages for image_id, ages in told.items() if image_id != "P3/1"]
    assert [tuple(row) for row in outcome.labels[:, 1:3].tolist()] == right
    for photo in subject.held_out:
        photo.path.write_bytes(b"torn")
    with pytest.raises(InputError, match="none of the photos of 12 faces for validation can be read"):
        subject.judged(*given)


def test_a_limit_counts_the_photos_of_which_something_is_told(folder: Path, tmp_path: Path) -> None:
    mixed = make_folder(tmp_path / "mixed", people=60, side=SIDE)
    shutil.copy(folder / "attributes.csv", mixed)
    subject = train.learnt(asked(mixed, tmp_path / "run", limit=4))
    assert (len(subject.photos), len(subject.held_out)) == (4, 1)


def test_an_age_that_is_a_number_costs_what_it_lies_outside_its_bounds() -> None:
    years = torch.tensor([[40.0], [40.0], [25.0]])
    loss = network.number_loss(years, torch.tensor([30.0, 50, 20]), torch.tensor([30.0, 59, 29]))
    assert loss.tolist() == [1, 1, 0]  # in decades, squared


def test_shearing_leaves_the_face_in_the_picture(folder: Path) -> None:
    photos = Photos.load(folder)
    told = {photo.image_id: [KnownAttributes((30, 20, 72, 74), "worn")] for photo in photos}
    crops = CropDataset(photos, told, 64, 1.0, "affine", seed=3)
    plain = crops.plain(0)
    assert plain is not None
    several = [crops[(1, place, 0)][0] for place in range(8)]
    assert len({one.numpy().tobytes() for one in several}) == 8
    centre = plain[:, 24:40, 24:40].float().mean()
    for one in several:  # it is moved by a fifth at most
        assert abs(float(one[:, 16:48, 16:48].float().mean()) - centre) < 45
    with pytest.raises(InputError, match="unknown `transforms` 'wild' of faces"):
        CropDataset(photos, told, 64, 1.0, "wild")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"age": -3}, "attributes.csv row 2: age is -3; it must lie between 0 and 120"),
        ({"mask": "maybe"}, "attributes.csv row 2: mask is 'maybe'; it must be one of worn, wrong, none, or empty"),
        ({"gender": "x"}, "attributes.csv row 2: gender is 'x'"),
        ({"age": "old"}, "attributes.csv row 2: age is 'old', not a number"),
        ({"age_low": 30}, "attributes.csv row 2: give `age`, or both `age_low` and `age_high`"),
        ({"age_low": 30, "age_high": 20}, "attributes.csv row 2: age_low 30 is more than age_high 20"),
        ({"x2": 0}, "attributes.csv row 2: the box"),
        ({"x1": 64, "x2": 70}, r"attributes.csv row 2: the box \(64, 0, 70, 9\) lies outside the photo, .* 64 x 48"),
    ],
)
def test_bad_labels_are_refused_with_their_row(tmp_path: Path, row: dict[str, object], message: str) -> None:
    photo = {"image_id": "a", "status": "ok", "path": "images/a.jpg", "width": 64, "height": 48}
    tables.write(tmp_path / "downloads.csv", [photo])
    tables.write(tmp_path / "attributes.csv", [{"image_id": "a", "x1": 0, "y1": 0, "x2": 9, "y2": 9} | row])
    with pytest.raises(InputError, match=message):
        attributes.read(tmp_path)


def test_a_training_begins_with_the_weights_that_come_with_visavis() -> None:
    shipped, _ = checkpoint.load(SHIPPED)
    given = kind.network("face_attributes", "shipped").state_dict()
    assert all(torch.equal(given[name], value.float()) for name, value in shipped.items())
    with pytest.raises(InputError, match="no weights at coco, nor are there any of that name"):
        kind.network("face_attributes", "coco")


def test_an_item_is_the_same_however_often_it_is_asked_for(folder: Path) -> None:
    photos = Photos.load(folder)
    told = {photo.image_id: [KnownAttributes((30, 20, 72, 74), age) for age in ("worn",)] for photo in photos}
    crops = CropDataset(photos, told, 64, 1.05, "full", seed=3)
    (one, target), (again, _), (other, _) = crops[(1, 0, 5)], crops[(1, 0, 5)], crops[(2, 0, 5)]
    assert one.shape == (3, 64, 64) and one.dtype == torch.uint8
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert int(target["mask"]) == 0 and int(target["gender"]) == -1 and float(target["age_low"]) == -1


@pytest.mark.usefixtures("shared_cache")
def test_what_was_trained_is_an_analyser_that_says_what_the_network_says(folder: Path, trained: Path) -> None:
    path = trained / "best.safetensors"
    picture = read(folder / "images/P3/1.png")
    found = Faces([[30, 20, 72, 74], [-9, -9, 30, 40], [40, 40, 46, 46]])
    told = load_analyser(str(path)).analyse(picture, found).attributes
    model = network.of_checkpoint(*checkpoint.load(path), str(path))
    crops = np.stack([cut(picture, square(box, model.margin), model.side) for box in found.boxes[:2]])
    with torch.inference_mode():
        right = model(torch.from_numpy(crops).permute(0, 3, 1, 2))
    assert told["mask_score"][:2] == pytest.approx(right["mask"].max(dim=1).values.numpy(), abs=1e-4)
    assert told["gender_score"][:2] == pytest.approx(right["gender"].max(dim=1).values.numpy(), abs=1e-4)
    assert told["age"][:2] == pytest.approx((right["age"] @ torch.arange(101.0)).numpy(), abs=0.06)
    assert (told["age_low"][:2] <= told["age_high"][:2]).all()
    assert told["mask"][2] == told["gender"][2] == "" and np.isnan(told["age"][2])  # of 6 pixels nothing is said


@pytest.mark.usefixtures("shared_cache")
def test_one_look_gives_all_that_is_asked(folder: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trained / "best.safetensors"
    several = Analysers([FaceAttributes([name], path) for name in ("gender", "mask", "age")])
    assert several.attributes == ("gender", "gender_score", "mask", "mask_score", "age", "age_low", "age_high")
    looks, before = [], Network.look
    monkeypatch.setattr(Network, "look", lambda *given: looks.append(len(given[2])) or before(*given))
    picture = read(folder / "images/P3/1.png")
    told = several.analyse(picture, Faces([[30, 20, 72, 74]] * 70)).attributes  # more than go through it together
    assert looks == [70] and told.keys() == set(several.attributes)
    assert told["age"] == pytest.approx(told["age"][0]) and (told["gender"] == told["gender"][0]).all()
    nobody = several.analyse(picture, Faces())
    assert {len(values) for values in nobody.attributes.values()} == {0}


def test_weights_of_the_other_kind_are_refused(trained: Path) -> None:
    with pytest.raises(InputError, match="predicts attributes of faces and detects none; give it as an analyser"):
        load_detector(str(trained / "best.safetensors"))
    with pytest.raises(InputError, match="is a detector; give it as one, not as an analyser"):
        load_analyser(str(checkpoint.SHIPPED))
