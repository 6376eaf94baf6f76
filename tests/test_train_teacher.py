"""A network learns what another one sees."""

import json

import pytest
import torch
from training import make_folder, options, same, weights

import train
from visavis import checkpoint
from visavis.command import InputError
from visavis.detectors.faster_rcnn import build, norm_eps
from visavis.training.teacher import Teacher

ARCH = "mobilenet_v2_fpnlite"


def saved(path, arch=ARCH, seed=0):
    torch.manual_seed(seed)
    model = build(arch)
    checkpoint.save(path, model.state_dict(), {"arch": arch, "norm_eps": norm_eps(model)})
    return path


def test_who_sees_the_same_has_nothing_to_learn_and_who_does_not_has(tmp_path):
    path = saved(tmp_path / "t.safetensors")
    other = build(ARCH, str(saved(tmp_path / "o.safetensors", seed=1)))
    itself = build(ARCH, str(path))
    losses = []
    for pupil in (itself, other):
        teacher = Teacher(path, pupil, torch.device("cpu"))
        pupil.backbone(torch.rand(1, 3, 64, 96))
        losses.append(teacher.loss())
    assert losses[0] < 1e-6 < 0.1 < losses[1]
    losses[1].backward()
    assert other.backbone.body["17"].conv[2].weight.grad.abs().sum() > 0


def test_a_run_with_a_teacher_comes_nearer_to_it_and_does_so_again_to_the_bit(tmp_path):
    folder = make_folder(tmp_path / "data")
    path = saved(tmp_path / "t.safetensors")
    more = {"teacher": path, "init": str(saved(tmp_path / "i.safetensors", seed=1)), "epochs": 3, "lr": 1e-3}
    more |= {"trainable_layers": 5, "size": 96}
    train.train(options(folder, tmp_path / "whole", **more))
    lines = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    told = [line[Teacher.LOSS] for line in lines if Teacher.LOSS in line]
    assert len(told) > 2 and told[-1] < 0.7 * told[0]
    known = checkpoint.load(tmp_path / "whole/last.safetensors")[1]
    assert known["options"]["teacher"] == "t.safetensors"

    train.train(options(folder, tmp_path / "again", **more))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "again"))


def test_a_teacher_whose_pyramid_is_another_is_refused(tmp_path):
    folder = make_folder(tmp_path / "data")
    path = saved(tmp_path / "t.safetensors", "mobilenet_v3_large_320_fpn")
    with pytest.raises(InputError, match="other levels or channels"):
        train.train(options(folder, tmp_path / "run", teacher=path))
    assert not (tmp_path / "run").exists()
