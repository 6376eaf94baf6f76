"""A network learns what another one sees."""

import copy
import json

import pytest
import torch
from skimage import data
from training import learn, make_folder, options, same, weights

import train
from visavis import checkpoint
from visavis.checkpoint import SHIPPED
from visavis.detectors.faster_rcnn.architectures import build, norm_eps
from visavis.errors import InputError
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
    for student in (itself, other):
        teacher = Teacher(path, student, torch.device("cpu"))
        student.backbone(torch.rand(1, 3, 64, 96))
        losses.append(teacher.loss())
    assert losses[0] < 1e-6 < 0.1 < losses[1]
    losses[1].backward()
    assert other.backbone.body["17"].conv[2].weight.grad.abs().sum() > 0


def test_each_picture_counts_as_much_alone_as_among_others_and_what_is_validated_does_not():
    student = build("mobilenet_v2_slim_fpnlite", str(SHIPPED))
    for block in student.backbone.fpn.layer_blocks:
        block[1].bias.data += 0.1  # off by as much in each picture, which is not the same share of each
    teacher = Teacher(SHIPPED, student, torch.device("cpu"))
    face = torch.tensor(data.astronaut()[64:192, 160:288]).permute(2, 0, 1) / 255
    pictures = torch.stack([1 - face, face])  # what the network makes of a negative is of another size
    losses = []
    for some in (pictures[:1], pictures[1:], pictures):
        student.backbone(some)
        copy.deepcopy(student).eval().backbone(torch.zeros(1, 3, 32, 32))
        losses.append(teacher.loss().detach())
    assert abs(losses[0] / losses[1] - 1) > 0.05  # or no weighting could be told from another
    torch.testing.assert_close(losses[2], (losses[0] + losses[1]) / 2)


def test_a_run_with_a_teacher_comes_nearer_to_it_and_does_so_again_to_the_bit(tmp_path):
    folder = make_folder(tmp_path / "data")
    path = saved(tmp_path / "t.safetensors")
    more = {"teacher": path, "init": str(saved(tmp_path / "i.safetensors", seed=1)), "epochs": 3, "limit": 4}
    more |= {"trainable_layers": 5, "lr": 2e-3}
    learn(options(folder, tmp_path / "whole", **more))
    lines = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    told = [line[Teacher.LOSS] for line in lines if Teacher.LOSS in line]
    assert len(told) > 2 and told[-1] < 0.7 * told[0]
    known = checkpoint.load(tmp_path / "whole/last.safetensors")[1]
    assert known["options"]["teacher"] == "t.safetensors"

    learn(options(folder, tmp_path / "again", **more))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "again"))

    again = train.Options(out=tmp_path / "again", resume=True)
    moved = path.rename(tmp_path / "moved.safetensors")
    (tmp_path / "i.safetensors").unlink()  # what it began from is of no use any more
    with pytest.raises(InputError, match="no weights at"):
        train.train(again)
    saved(path, seed=2)
    with pytest.raises(InputError, match=r"t\.safetensors is not the teacher that the run began with"):
        train.train(again)
    again.teacher = moved
    assert train.train(again) == 0


def test_a_teacher_whose_pyramid_is_another_is_refused(tmp_path):
    folder = make_folder(tmp_path / "data")
    path = saved(tmp_path / "t.safetensors", "mobilenet_v3_large_320_fpn")
    with pytest.raises(InputError, match="other levels or channels"):
        train.train(options(folder, tmp_path / "run", teacher=path))
    with pytest.raises(InputError, match="`freeze` heads-only"):
        train.train(options(folder, tmp_path / "run", teacher=path, freeze="heads-only"))
    assert not (tmp_path / "run").exists()
