"""The network for one face: its losses, torchvision's contract, that train.py trains and resumes it, and what it can
and cannot find."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from training import RECORD, learn, make_folder, options, same, weights

import train
from dataset.checks import fingerprint
from dataset.photos import Photos
from visavis import checkpoint, load_analyser, load_detector
from visavis.boxes import as_boxes, iou
from visavis.commands.export import Options as ExportOptions
from visavis.commands.export import export
from visavis.detectors.protocol import about
from visavis.detectors.single_face.network import DESIGNS, UNKNOWN, build, losses, of_checkpoint, upright
from visavis.errors import InputError
from visavis.images import read
from visavis.training.distributed import World

ARCH = "single_face_mobilenet_v2_slim"
SIDE = 64


def asked(folder: Path, out: Path, **more: Any) -> train.Options:
    return options(folder, out, **{"arch": ARCH, "init": "none", "size": SIDE, "batch_size": 4} | more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train.train(asked(folder, out)) == 0
    return out


def test_losses_by_hand() -> None:
    """Four pictures: a face, found a tenth off; no face; nobody knows; a face found exactly."""
    logits = torch.tensor([0.0, 0.0, 9.0, 0.0])
    corners = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.2, 0.2, 0.4, 0.4]])
    there = torch.tensor([1, 0, UNKNOWN, 1])
    boxes = torch.tensor([[0.2, 0.3, 0.5, 0.8], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.4, 0.4]])
    found = {name: loss.item() for name, loss in losses(logits, corners, there, boxes).items()}
    # Three times ln 2, halved, over four pictures. Corner: .1² + .1²; size: .1² + .1²; each times 8 over four pictures.
    assert found == pytest.approx({"loss_face": 0.2599302, "loss_corner": 0.04, "loss_size": 0.04}, abs=1e-6)


def test_a_picture_without_a_face_teaches_no_place_and_one_with_ignored_regions_nothing() -> None:
    model = build(ARCH, "none").train()
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    picture = torch.randint(0, 255, (3, 50, 80), dtype=torch.uint8)
    wrong = model([picture, picture], [none, none | {"ignore": torch.zeros(0, 4)}])
    assert wrong["loss_face"] > 0 and wrong["loss_corner"] == wrong["loss_size"] == 0
    unknown = none | {"ignore": torch.tensor([[5.0, 5.0, 20.0, 20.0]])}
    assert sum(model([picture, picture], [unknown, unknown]).values()) == 0


def test_the_box_that_is_learnt_is_the_largest_in_shares_of_the_picture() -> None:
    """Whatever the pictures' shapes: a network that answers the shares of the largest face has nothing to learn."""
    model = build(ARCH, "none").train()
    shares = torch.tensor([[0.25, 0.5, 0.5, 0.75]])
    model.answers = lambda squares: (torch.full((2,), 30.0), shares.repeat(2, 1))  # type: ignore[method-assign]
    tall, wide = (torch.zeros(3, height, width) for height, width in ((200, 100), (80, 120)))
    targets = [
        {"boxes": torch.tensor([[0.0, 0.0, 9.0, 9.0], [25.0, 100.0, 50.0, 150.0]])},
        {"boxes": torch.tensor([[30.0, 40.0, 60.0, 60.0], [70.0, 0.0, 80.0, 20.0]])},
    ]
    assert sum(model([tall, wide], targets).values()).item() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("arch", DESIGNS)
def test_torchvisions_contract(arch: str) -> None:
    model = build(arch, "none")
    model.transform.in_training = SIDE
    pictures = [torch.zeros(3, 40, 60, dtype=torch.uint8), torch.ones(3, 90, 30)]
    faces = [{"boxes": torch.tensor([[10.0, 10.0, 30.0, 35.0]]), "labels": torch.ones(1, dtype=torch.int64)}] * 2
    wrong = model.train()(pictures, faces)
    assert set(wrong) == {"loss_face", "loss_corner", "loss_size"}
    assert all(loss.ndim == 0 and loss.isfinite() for loss in wrong.values())
    with torch.inference_mode():
        found = model.eval()(pictures)
    for one, (height, width) in zip(found, ((40, 60), (90, 30)), strict=True):
        x1, y1, x2, y2 = one["boxes"][0].tolist()
        assert 0 <= x1 <= x2 <= width and 0 <= y1 <= y2 <= height
        assert one["labels"].tolist() == [1] and 0 < one["scores"].item() < 1


def test_corners_that_are_swapped_are_set_right() -> None:
    assert upright(torch.tensor([[0.5, 0.2, 0.1, 0.9]])).tolist() == torch.tensor([[0.1, 0.2, 0.5, 0.9]]).tolist()


def test_a_run_leaves_what_those_of_the_others_leave(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RECORD
    metadata = checkpoint.metadata(trained / "last.safetensors")
    assert {name: metadata[name] for name in ("kind", "arch", "side")} == {
        "kind": "single_face",
        "arch": ARCH,
        "side": SIDE,
    }
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "loss_face", "loss_corner", "loss_size", "lr"} <= lines[0].keys()
    assert lines[-1]["faces"] == 2 and lines[-1]["ap50"] >= 0


def test_a_resumed_run_is_the_unbroken_one_bit_for_bit(folder: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "broken"
    given = asked(folder, out)
    subject = train.learnt(given)
    run = train.begin(given, World(), subject)
    run.batches.start(1)
    for images, targets in run.loader:
        run.learner.step(images, targets)
        break  # in the middle of the epoch
    out.mkdir()
    data = fingerprint(folder, subject.photos, subject.held_out)
    train.config.write(out, {"options": train.config.plain(given), "data": data} | run.described)
    run.save()
    assert learn(asked(folder, out, resume=True)) == 0
    assert same(weights(out), weights(trained))


@pytest.fixture(scope="module")
def fitted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained from the shipped detector's backbone for long enough to know these photos."""
    out = tmp_path_factory.mktemp("runs") / "fitted"
    more = {"init": "shipped", "trainable_layers": 5, "epochs": 5, "transforms": "none", "lr": 1e-3, "ema": 0.9}
    assert learn(asked(folder, out, **more)) == 0
    return out / "best.safetensors"


def test_it_learns_where_the_face_is(folder: Path, fitted: Path) -> None:
    metadata = checkpoint.metadata(fitted)
    assert metadata["validation"]["ap50"] == 1.0
    # The shipped detector's calibration and threshold (0.7545) are of its own scores, not of those of these heads.
    assert metadata["threshold"] == 0.5 and not {"temperature", "shift"} & metadata.keys()
    detector = load_detector(fitted, "cpu", 0.5, backend="torch")
    assert detector.detect([]) == []
    (photo, *_) = Photos.load(folder)
    picture = read(photo.path)
    (found,) = detector.detect([picture])
    assert len(found) == 1 and np.abs(found.boxes[0] - photo.boxes[0]).max() < 12


def test_of_two_faces_it_finds_one_at_most(folder: Path, fitted: Path) -> None:
    picture = read(next(iter(Photos.load(folder))).path)
    both = np.concatenate([picture, picture[:, ::-1]], axis=1)
    (found,) = load_detector(fitted, "cpu", 0.0, backend="torch").detect([both])
    assert len(found) == 1


def test_what_is_below_the_threshold_is_not_returned(fitted: Path) -> None:
    detector = load_detector(fitted, "cpu", 1.0, backend="torch")
    assert [len(faces) for faces in detector.detect([np.zeros((50, 70, 3), np.uint8)] * 2)] == [0, 0]


def test_the_exported_file_finds_the_same_without_torch(
    folder: Path, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = fitted.with_suffix(".onnx")
    assert export(ExportOptions(fitted, file)) == 0
    pictures = [read(photo.path)[:70, :90] for photo in list(Photos.load(folder))[:3]]
    torchs = load_detector(fitted, "cpu", 0.0, backend="torch").detect(pictures)
    detector = load_detector(fitted, "cpu", 0.0)
    assert about(detector).runs == "onnxruntime on cpu, fp32"
    for one, other in zip(torchs, detector.detect(pictures), strict=True):
        assert np.abs(one.boxes - other.boxes).max() < 0.01
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
    # The whole photo in, as other programs give it.
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    boxes, scores = session.run(["boxes", "scores"], {"photo": pictures[0], "threshold": np.array(0.0, np.float32)})
    assert np.abs(boxes - torchs[0].boxes).max() < 0.01 and scores == pytest.approx(torchs[0].scores, abs=1e-4)
    boxes, _ = session.run(["boxes", "scores"], {"photo": pictures[0], "threshold": np.array(1.0, np.float32)})
    assert boxes.shape == (0, 4)


def test_the_shipped_weights_find_a_face(folder: Path) -> None:
    picture = skimage.data.astronaut()[:300, 60:400]
    detector = load_detector("single_face", "cpu")
    (found,) = detector.detect([picture])
    assert len(found) == 1
    assert iou(found.boxes, as_boxes([[120, 68, 212, 186]]))[0, 0] > 0.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"backend": "openvino"}, "`backend` openvino: networks for one face run in one of torch, onnxruntime"),
        ({"precision": "bf16"}, "compute in fp32 only"),
        ({"size": 512}, "at the size of its training, 64 pixels a side"),
    ],
)
def test_options_that_it_does_not_have_are_refused(trained: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_detector(trained / "last.safetensors", "cpu", **wrong)


def test_weights_that_do_not_fit_are_refused(folder: Path, trained: Path, tmp_path: Path) -> None:
    last = trained / "last.safetensors"
    with pytest.raises(InputError, match=f"holds a {ARCH}, not a single_face_mobilenet_v2"):
        build("single_face_mobilenet_v2", str(last))
    with pytest.raises(InputError, match="there are no ImageNet weights"):
        build(ARCH, "imagenet")
    with pytest.raises(InputError, match="no such file, nor one of imagenet, shipped, none"):
        build(ARCH, "coco")
    with pytest.raises(InputError, match="does not fit this architecture"):
        build("single_face", "shipped")
    with pytest.raises(InputError, match="holds a mobilenet_v2_slim_fpnlite, not one of single_face"):
        of_checkpoint(*checkpoint.load(checkpoint.SHIPPED), "it")
    with pytest.raises(InputError, match="is a detector; give it as one"):
        load_analyser(str(last))
    with pytest.raises(InputError, match="`size` 16: this network needs squares of 32 pixels or more"):
        train.train(asked(folder, tmp_path / "small", size=16))
    with pytest.raises(InputError, match="has no pyramid that could imitate one"):
        train.train(asked(folder, tmp_path / "taught", teacher=checkpoint.SHIPPED))


def test_what_learns_can_be_chosen() -> None:
    def learning(**how: Any) -> set[str]:
        from visavis.detectors.single_face import kind

        model = kind.network(ARCH, "shipped", **how)
        return {name.split(".")[0] for name, one in model.named_parameters() if one.requires_grad}

    assert learning(freeze="backbone") == learning(trainable_layers=0) == {"face", "box"}
    assert learning() == learning(freeze="nothing") == {"face", "box", "backbone"}


def test_a_heavy_one_on_a_cpu_says_what_a_step_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = asked(folder, folder / "run", arch="single_face", batch_size=2)
    train.begin(given, World(), train.learnt(given))
    assert "single_face on a CPU: a step of 2 photos takes about" in capsys.readouterr().err
