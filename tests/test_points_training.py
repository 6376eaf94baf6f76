"""Networks of points: what they are shown and learn, and that train.py trains, resumes and exports them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training import RECORD, interrupt, learn, make_folder, options, same, weights

import train
from benchmarks.fifteen_points import baseline
from dataset import tables
from dataset.photos import Photos
from dataset.point_crops import AT_MOST, PointDataset, slots, unlike
from dataset.split import Shares
from visavis import checkpoint, load_analyser, load_detector
from visavis.analysers.crops import Frame
from visavis.analysers.points import kind, network
from visavis.analysers.points.analyser import SHIPPED, FacePoints, roll
from visavis.analysers.points.keypoints_cnn import KeypointsCnn
from visavis.data import points
from visavis.data.points import Pointed
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import read
from visavis.keypoints import SIXTY_EIGHT, converted
from visavis.training.distributed import World
from visavis.training.points import Located, by_corners, by_diagonal

SIDE = 96


def spots(number: int) -> np.ndarray:
    """68 points on the face of a photo of `make_folder`."""
    dice = np.random.default_rng(number)
    return (dice.uniform((30, 25), (70, 70), (68, 2))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_folder(tmp_path_factory.mktemp("points"), people=12, side=SIDE)
    rows = []
    for number in range(12):
        box = [f"P{number}/1", 30, 20, 72, 74]
        rows.append(dict(zip(points.columns(SIXTY_EIGHT), [*box, *spots(number).ravel().tolist()], strict=True)))
    tables.write(made / "points.csv", rows, points.columns(SIXTY_EIGHT))
    return made


def asked(folder: Path, out: Path, **more: Any) -> train.Options:
    return options(folder, out, **{"arch": "face_points", "batch_size": 4} | more)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train.train(asked(folder, out, epochs=2)) == 0
    return out


def test_a_run_leaves_what_those_of_detectors_leave(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RECORD
    metadata = checkpoint.metadata(trained / "last.safetensors")
    told = {name: metadata[name] for name in ("kind", "arch", "side", "margin", "count", "norms")}
    assert told == {
        "kind": "face_points", "arch": "face_points", "side": 112, "margin": 1.3, "count": 68, "norms": True
    }  # fmt: skip
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "loss_place", "loss_map", "loss_spread", "lr"} <= lines[0].keys()
    assert lines[-1]["faces"] >= 1 and lines[-1]["nme"] > 0


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(folder: Path, trained: Path, tmp_path: Path) -> None:
    given = asked(folder, tmp_path / "broken", epochs=2)
    interrupt(given, 1)  # in the middle of the first epoch
    assert learn(train.Options(out=given.out, resume=True)) == 0
    assert same(weights(given.out), weights(trained))


@pytest.mark.usefixtures("shared_cache")
def test_the_exported_network_finds_what_the_network_finds(folder: Path, trained: Path) -> None:
    path = trained / "last.safetensors"
    analyser = load_analyser(str(path))
    assert analyser.keypoints == SIXTY_EIGHT.names and analyser.attributes == ("points_error",)
    (photo, *_) = Photos.load(folder)
    picture, box = read(photo.path), np.array([[30, 20, 72, 74]], np.float32)
    model = network.of_checkpoint(*checkpoint.load(path), "it")
    frame = Frame.around(box[0], 1.3)
    crop = torch.from_numpy(frame.cut(picture, 112).transpose(2, 0, 1).copy())
    with torch.inference_mode():
        place, spread = model(crop[None]).values()
    assert isinstance(analyser, FacePoints)
    found, spreads = analyser._network.look(picture, [frame])
    assert np.abs(found[0] - frame.outside(place[0].numpy())).max() < 0.01
    assert np.abs(spreads[0] - spread[0].numpy() * 1.622 * 2 * frame.half).max() < 0.01
    told = analyser.analyse(picture, Faces(np.concatenate([box, [[5, 5, 9, 9]]])))
    assert told.keypoints is not None and told.errors is not None
    assert told.keypoints.shape == (2, 68, 2) and told.errors.shape == (2, 68)
    assert not np.isnan(told.keypoints[0]).any() and np.isnan(told.keypoints[1]).all()  # too small to tell
    assert np.isnan(told.attributes["points_error"][1])
    none = analyser.analyse(picture, Faces())
    assert none.keypoints is not None and none.keypoints.shape == (0, 68, 2)


def test_weights_of_points_are_no_detector_and_others_no_points(trained: Path) -> None:
    with pytest.raises(InputError, match="finds points of faces, and no faces; give it as an analyser"):
        load_detector(str(trained / "last.safetensors"))
    with pytest.raises(InputError, match="which finds no points of faces"):
        FacePoints(checkpoint.SHIPPED)


def test_a_training_begins_with_the_points_that_come_with_visavis() -> None:
    shipped, _ = checkpoint.load(SHIPPED)
    given = kind.network("face_points", "shipped").state_dict()
    assert all(torch.equal(given[name], value.float()) for name, value in shipped.items())


def test_options_that_mean_nothing_to_points_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`mosaic` means nothing to face_points"):
        train.train(asked(folder, tmp_path / "out", mosaic=128))


def test_points_follow_the_crop(folder: Path) -> None:
    """A dot at each point: after all that augmentation does to place, the dots are where the points are said to be."""
    photos, told = Photos.load(folder), points.read(folder)
    plain = PointDataset(photos, told, 68, 112, 1.3)
    image, target = plain[3]
    frame = Frame.around(np.array(plain.faces.boxes[3]), 1.3)
    assert image.shape == (3, 112, 112)
    assert np.abs(frame.outside(target["points"].numpy()) - plain.points[3]).max() < 1e-3
    dots = PointDataset(photos, told, 68, 112, 1.3, "full")
    for key in range(12):
        (epoch_one, first), (epoch_two, second) = dots[(1, key, key)], dots[(2, key, key)]
        assert (first["points"] - second["points"]).abs().max() > 0.01  # another look each time
        again, same_target = dots[(1, key, key)]
        assert torch.equal(epoch_one, again) and torch.equal(first["points"], same_target["points"])
    assert not torch.equal(epoch_one, epoch_two)


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.0])
def test_a_turned_frame_shows_a_dot_where_it_says(angle: float) -> None:
    picture = np.zeros((200, 240, 3), np.uint8)
    picture[90:94, 150:154] = 255
    frame = Frame(130, 100, 70, angle)
    shown = frame.cut(picture, 96)[..., 0].astype(float)
    down, across = np.mgrid[:96, :96] + 0.5
    middle = np.array([(shown * across).sum(), (shown * down).sum()]) / shown.sum()
    assert middle == pytest.approx(frame.inside(np.array([152.0, 92.0])) * 96, abs=0.3)
    assert frame.outside(frame.inside(np.array([152.0, 92.0]))) == pytest.approx([152, 92], abs=1e-3)


def test_many_photos_of_one_person_take_turns(folder: Path) -> None:
    photos = Photos.load(folder)
    one = [Pointed((0, 0, 9, 9), spots(0))]
    together = Photos(type(photo)(photo.image_id, "same", photo.path, photo.boxes) for photo in photos)
    told = {photo.image_id: one for photo in photos}
    assert len(slots(photos, told)) == 12
    assert slots(together, told) == [list(range(12))] * AT_MOST
    assert unlike(photos, told) == list(range(12)) and unlike(together, told) == [0, 6, 11]


def test_what_nobody_labelled_and_what_lies_outside_stays_out_of_the_loss() -> None:
    log = torch.randn(2, 3, 49).log_softmax(dim=2)
    found, scales = torch.rand(2, 3, 2) * 7, torch.ones(2, 3)
    truth = torch.full((2, 3, 2), 3.0)
    base = network.losses(log, found, scales, truth)
    assert set(base) == {"loss_place", "loss_map", "loss_spread"}
    hidden = truth.clone()
    hidden[0, 0], hidden[1, 2] = float("nan"), torch.tensor([9.0, 3.0])
    some = network.losses(log, found, scales, hidden)
    kept = [(0, 1), (0, 2), (1, 0), (1, 1)]
    expected = np.mean([(found[n, k] - 3).abs().sum() for n, k in kept])
    assert float(some["loss_place"]) == pytest.approx(float(expected), abs=1e-5)
    nothing = network.losses(log, found, scales, torch.full((2, 3, 2), float("nan")))
    assert all(float(value) == 0 for value in nothing.values())


def test_the_errors_of_points() -> None:
    truth = np.zeros((1, 68, 2), np.float32)
    truth[0, 45] = (100, 0)  # the corners of the eyes are 100 pixels apart
    truth[0, 8] = (50, 100)
    assert by_corners(truth + [3, 4], truth).tolist() == [pytest.approx(0.05)]
    assert by_diagonal(truth + [3, 4], truth).tolist() == [pytest.approx(5 / 141.4214)]
    told = Located(truth + np.float32(0), truth, np.ones(1)).figures()
    assert (told["nme"], told["failed"], told["auc"], told["faces"]) == (0, 0, 1, 1)
    assert Located(truth + np.float32([6, 8]), truth, np.ones(1)).figures()["failed"] == 1  # 10 %


def test_the_angle_of_a_face() -> None:
    upright = np.zeros((1, 68, 2), np.float32)
    upright[0, 36:42], upright[0, 42:48] = (40, 50), (60, 50)
    assert roll(upright).tolist() == [0]
    turned = np.zeros((1, 68, 2), np.float32)
    turned[0, 36:42], turned[0, 42:48] = (50, 40), (50, 60)
    assert np.degrees(roll(turned)).tolist() == [pytest.approx(90)]


def test_a_batch_can_be_drawn_and_set_aside(folder: Path, tmp_path: Path) -> None:
    given = asked(folder, tmp_path / "out")
    run = train.begin(given, World(), train.learnt(given))
    items, names = run._seen(1, 0, 2)
    run.subject.set_aside(tmp_path / "aside", items, names, {"loss_place": float("nan")})
    told = json.loads((tmp_path / "aside/batch.json").read_text())
    assert len(told["photos"]) == 2 and len(told["photos"][0]["points"]) == 68


@pytest.fixture(scope="module")
def fifteen(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on the 15 points that can be had from the 68 of the same faces."""
    out = tmp_path_factory.mktemp("runs") / "fifteen"
    given = asked(folder, out, arch="keypoints_cnn", blocks=1, dropout=0.0, lr=1e-3)
    assert learn(given) == 0
    return out


@pytest.mark.usefixtures("shared_cache")
def test_the_small_network_learns_fifteen_points(fifteen: Path) -> None:
    metadata = checkpoint.metadata(fifteen / "last.safetensors")
    assert (metadata["arch"], metadata["count"], metadata["side"]) == ("keypoints_cnn", 15, 96)
    assert metadata["design"] == {"blocks": 1, "dropout": 0.0}
    analyser = load_analyser(str(fifteen / "last.safetensors"))
    assert len(analyser.keypoints) == 15 and analyser.attributes == ()
    found = analyser.analyse(np.zeros((90, 90, 3), np.uint8), Faces(np.array([[10, 10, 80, 80]], np.float32)))
    assert found.keypoints is not None and found.keypoints.shape == (1, 15, 2) and found.errors is None


def test_the_small_network_leaves_unknown_points_out_of_the_loss() -> None:
    model = KeypointsCnn(blocks=2, dropout=0.0)
    image, truth = torch.zeros(3, 96, 96, dtype=torch.uint8), torch.full((15, 2), 0.25)
    found = model.eval()(image[None])["points"][0]
    hidden = truth.clone()
    hidden[1:] = float("nan")
    (loss,) = model.train()([image], [{"points": hidden}]).values()
    off = float(((found[0] - 0.25) * 96).square().sum()) / 96
    assert float(loss.detach()) == pytest.approx(off, rel=1e-4)
    (nothing,) = model([image], [{"points": torch.full((15, 2), float("nan"))}]).values()
    assert float(nothing.detach()) == 0


def test_designs_that_mean_nothing_are_refused(folder: Path, fifteen: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`blocks` means nothing to face_points; leave it out"):
        train.train(asked(folder, tmp_path / "out", blocks=2))
    with pytest.raises(InputError, match="holds another network than the keypoints_cnn that is asked for"):
        train.train(
            asked(folder, tmp_path / "out", arch="keypoints_cnn", blocks=3, init=str(fifteen / "last.safetensors"))
        )
    with pytest.raises(InputError, match="nor one of those that keypoints_cnn may begin with: none"):
        train.train(asked(folder, tmp_path / "out", arch="keypoints_cnn", init="imagenet"))


def test_the_constant_answer_is_the_mean_of_the_training_faces(folder: Path) -> None:
    shares = Shares(0.3, 0.0)
    told = baseline(folder, shares)
    faces = points.read(folder)
    inside = [
        Frame.around(np.array([30, 20, 72, 74]), 1.0).inside(converted(faces[photo.image_id][0].points, 15))
        for photo in Photos.load(folder, "train", shares)
    ]
    expected = Frame.around(np.array([30, 20, 72, 74]), 1.0).outside(np.mean(inside, axis=0))
    assert np.abs(told.found - expected).max() < 1e-3
    assert told.pixel.tolist() == [pytest.approx(54 / 96)] * len(told.found)
