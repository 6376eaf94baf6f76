"""Folding batch norms changes the time that a network takes, not what it says."""

import copy

import pytest
import torch
from torch import nn

from visavis import checkpoint
from visavis.detectors.faster_rcnn.architectures import ARCHS, build, norm_eps
from visavis.detectors.faster_rcnn.folding import NORMS, folded, merge


def with_statistics(model: nn.Module) -> nn.Module:
    """Norms of a fresh network do next to nothing: give them something to do."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, NORMS):
            for name, low, high in (("weight", 0.5, 1.5), ("bias", -0.2, 0.2)):
                getattr(module, name).data.uniform_(low, high)
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    return model.eval()


@pytest.mark.parametrize("arch", ARCHS)
def test_a_folded_backbone_gives_the_same_features_without_norms(arch):
    model = with_statistics(build(arch).backbone)
    lean = folded(model)
    picture = torch.rand(1, 3, 96, 128)
    with torch.inference_mode():
        for name, expected in model(picture).items():
            torch.testing.assert_close(lean(picture)[name], expected, rtol=1e-3, atol=1e-3 * float(expected.std()))
    assert not any(isinstance(module, NORMS) for module in lean.modules())
    assert any(isinstance(module, NORMS) for module in model.modules())


def test_a_norm_without_its_convolution_stays():
    lonely = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))
    lean = folded(with_statistics(lonely))
    assert isinstance(lean[2], nn.BatchNorm2d) and isinstance(lean[4], nn.Identity)
    picture = torch.rand(2, 3, 5, 5)
    torch.testing.assert_close(lean(picture), lonely(picture))


@pytest.mark.parametrize("arch", ["mobilenet_v2_fpnlite", "resnet50_fpn"])
def test_merged_norms_learn_and_keep_the_same(arch, tmp_path):
    torch.manual_seed(0)
    path, start = tmp_path / "w.safetensors", build(arch)
    checkpoint.save(path, start.state_dict(), {"arch": arch, "norm_eps": norm_eps(start)})
    plain, merged = (with_statistics(build(arch, str(path)).backbone) for _ in range(2))
    merge(merged)
    picture = torch.rand(1, 3, 96, 128)
    for model in (plain, merged):
        sum(features.square().mean() for features in model(picture).values()).backward()
    torch.testing.assert_close(merged(picture), plain(picture), rtol=1e-3, atol=1e-3)
    assert list(merged.state_dict()) == list(plain.state_dict())
    for (name, ours), theirs in zip(merged.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is None:
            assert ours.grad is None and not ours.requires_grad
        else:
            distance = (ours.grad - theirs.grad).norm() / theirs.grad.norm()
            assert distance < 1e-3, name
    for ours, theirs in zip(folded(merged).parameters(), folded(plain).parameters(), strict=True):
        assert torch.equal(ours, theirs)
    again = copy.deepcopy(merged)
    for parameter in again.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(merged(picture), plain(picture), rtol=1e-3, atol=1e-3)


def test_norms_that_learn_are_not_merged():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    merge(model)
    assert type(model[0]) is nn.Conv2d and type(model[1]) is nn.BatchNorm2d
