"""A network with fewer channels says nearly the same: what goes is what the rest can make up for."""

import copy
import shutil

import pytest
import torch
from skimage import data
from test_commands import ASTRONAUT
from test_folding import with_statistics
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops import FrozenBatchNorm2d
from typed import typed

from visavis import checkpoint
from visavis.detectors.faster_rcnn.architectures import build, norm_eps, of_checkpoint
from visavis.errors import InputError
from visavis.training import slimming

WIDE, THIN = "mobilenet_v2_fpnlite", "mobilenet_v2_slim_fpnlite"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint whose norms do something, but for one channel."""
    torch.manual_seed(0)
    path, model = tmp_path_factory.mktemp("trained") / "wide.safetensors", with_statistics(build(WIDE))
    model.backbone.body["3"].conv[3].weight.data[0] = 0
    known = {"arch": WIDE, "norm_eps": norm_eps(model), "epoch": 3, "threshold": 0.7, "validation": {"ap": 0.9}}
    checkpoint.save(path, model.state_dict(), known)
    return path


def powers(rows):
    rows = torch.nn.functional.pad(rows.double(), (0, 1), value=1.0)
    return rows.T @ rows / len(rows)


def test_a_channel_that_is_a_sum_of_others_goes_and_nothing_is_lost():
    torch.manual_seed(0)
    rows = torch.randn(500, 6)
    rows[:, 4] = 0.5 * rows[:, 0] - rows[:, 2] + 3.0  # and something that is always the same
    weight = torch.randn(8, 7)
    weight[:, -1] = 0
    stays, solved = slimming.eliminate(powers(rows), weight, 5, torch.ones(8))
    assert len({0, 2, 4} - set(stays.tolist())) == 1 and solved.shape == (8, 6)
    told = rows[:, stays] @ solved[:, :-1].T + solved[:, -1]
    torch.testing.assert_close(told, rows @ weight[:, :-1].T, atol=0.02, rtol=0.01)


def test_what_hardly_varies_goes_before_what_matters():
    torch.manual_seed(0)
    rows = torch.randn(500, 4) * torch.tensor([1.0, 0.01, 1.0, 1.0])
    stays, _ = slimming.eliminate(powers(rows), torch.ones(2, 5), 3, torch.ones(2))
    assert stays.tolist() == [0, 2, 3]


def test_what_only_outputs_read_that_count_for_nothing_goes_first():
    torch.manual_seed(0)
    weight = torch.tensor([[9.0, 9.0, 0.0, 0.0], [0.0, 0.1, 0.1, 0.0]])
    stays, solved = slimming.eliminate(powers(torch.randn(500, 3)), weight, 2, torch.tensor([0.0, 1.0]))
    assert stays.tolist() == [1, 2]
    torch.testing.assert_close(solved[1], torch.tensor([0.1, 0.1, 0.0]))


def test_a_slim_network_has_the_shapes_it_should_and_is_nearer_than_one_that_was_just_cut(trained, monkeypatch):
    weights, known = checkpoint.load(trained)
    picture = torch.tensor(data.astronaut()[:192, 100:356]).permute(2, 0, 1)
    wide, solved = of_checkpoint(weights, known, "wide"), of_checkpoint(weights, known, "wide")
    cut, thin = copy.deepcopy(wide), build(THIN)
    seen = []

    def see(network):
        network(
            [picture[:, :2]]
        )  # a strip, from which torchvision would guess the wrong strides for all later pictures
        seen.append(network([picture]))

    slimming.slim(solved, thin, see)
    assert len(seen) == slimming.passes(wide, thin) == 17
    assert solved.roi_heads.box_roi_pool.scales == [1 / 8, 1 / 16, 1 / 32]
    assert all(value.isfinite().all() for value in solved.state_dict().values())
    monkeypatch.setattr(
        slimming, "eliminate", lambda power, weight, keep, _: (torch.arange(keep), weight[:, : keep + 1])
    )
    slimming.slim(cut, thin, see)
    for slim in (solved, cut):
        shapes = {name: value.shape for name, value in slim.state_dict().items()}
        goal = {name: value.shape for name, value in thin.state_dict().items() if "num_batches" not in name}
        assert shapes == goal
    with torch.inference_mode():
        right, near, far = (one.backbone(picture[None].float() / 255)["1"] for one in (wide, solved, cut))
    assert (near - right).square().mean() < 0.3 * (far - right).square().mean()


def test_a_block_that_is_narrowed_gives_the_same_where_it_can(monkeypatch):
    monkeypatch.setattr(slimming, "DAMPING", 1e-9)
    torch.manual_seed(0)
    block = with_statistics(InvertedResidual(6, 8, 1, 3, norm_layer=FrozenBatchNorm2d))
    (widen, first, _), (within, second, _), after, norm = block.conv
    with torch.no_grad():
        within.weight *= 10
        second.bias += 1
        for values in (widen.weight, first.weight, first.bias, first.running_mean, first.running_var):
            values[9:] = values[:9]
        for values in (within.weight, second.weight, second.bias, second.running_mean, second.running_var):
            values[9:] = values[:9]  # each channel is there twice,
        within.weight[17], second.running_mean[17], second.bias[17] = 0, 0, 5  # but one, which is always 5
        after.weight[:, 8], after.weight[0, 8], norm.weight[0] = 0, 100, 1e-6  # and one that hardly counts in the end
    pictures = torch.rand(20, 6, 8, 8)
    right = block(pictures)
    slimming._narrow(block.conv, 8, slimming._power(block, block.conv[1], lambda network: network(pictures)))
    assert block.conv[2].weight.shape == (8, 8, 1, 1)
    torch.testing.assert_close(block(pictures), right, atol=1e-3, rtol=0)
    assert right[:, 1:].std() > 0.1


def test_a_low_rank_layer_gives_the_same_in_what_varies():
    torch.manual_seed(0)
    seen = torch.randn(300, 2) @ torch.randn(2, 20) + 1.0  # all in a plane
    layer = torch.nn.Linear(20, 8)
    with torch.no_grad():
        right = layer(seen)
        pair = slimming._low_rank(layer, 2, powers(right))
        assert [tuple(one.weight.shape) for one in pair] == [(2, 20), (8, 2)]
        torch.testing.assert_close(pair(seen), right, atol=1e-4, rtol=1e-4)


def test_photos_in_which_nothing_is_taken_for_a_face_are_not_enough(trained):
    wide, thin = of_checkpoint(*checkpoint.load(trained), "wide"), build(WIDE)
    thin.roi_heads.box_head = build(THIN).roi_heads.box_head  # all else is as it is to be: that takes seconds
    wide.rpn.head.cls_logits.bias.data.fill_(-20.0)
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"finds 0 candidate regions in the photos, and 64 are needed"):
        slimming.slim(wide, thin, lambda network: network([picture]))


def test_the_command(trained, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "slim.safetensors"
    photos.mkdir()
    shutil.copy(ASTRONAUT, photos / "1.png")
    (photos / "0.jpg").write_text("no photo")
    command = ["-m", "visavis.slim", trained, photos, "--out", out]
    done = typed(*command)
    assert done.returncode == 0, done.stderr
    assert "0.jpg is left out: not_image" in done.stderr
    weights, known = checkpoint.load(out)
    assert known["arch"] == THIN and known["epoch"] == 3 and known["threshold"] == 0.7
    assert "validation" not in known  # those are the larger one's figures
    assert out.stat().st_size < 0.4 * trained.stat().st_size
    of_checkpoint(weights, known, "slim")

    before = out.read_bytes()
    for wrong, told in (
        (command, "exists already"),
        ([*command[:3], tmp_path / "none", "--out", tmp_path / "new"], "no photo in"),
        ([*command[:4], "--out", tmp_path / "new", "--count", "-1"], "--count must be at least 1, not -1"),
        ([*command[:4], "--out", out / "new"], f"cannot write to {out}: "),
        (
            ["-m", "visavis.slim", out, photos, "--out", tmp_path / "new"],
            f"which has no smaller variant; only {WIDE} has one",
        ),
    ):
        done = typed(*wrong)
        assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1
    assert out.read_bytes() == before and not (tmp_path / "new").exists()
