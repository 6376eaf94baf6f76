"""Building, starting from other weights, saving and loading the Faster R-CNNs."""

import numpy as np
import pytest
import torch
from skimage import data
from torchvision.models import mobilenet_v2

from visavis import checkpoint
from visavis.detectors import load_detector
from visavis.detectors.faster_rcnn import architectures as faster_rcnn
from visavis.detectors.faster_rcnn.architectures import ARCHS, build, norm_eps, set_norm_eps
from visavis.detectors.faster_rcnn.eager import of_model
from visavis.detectors.faster_rcnn.incomplete_labels import in_ignored
from visavis.errors import InputError

LIGHT = "mobilenet_v2_fpnlite"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty torch cache, and no way to the web: the proxy is a closed port."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_predicts_the_same_after_saving_and_loading(arch, tmp_path):
    torch.manual_seed(0)
    model = build(arch)
    model.transform.in_use, model.transform.max_size = 96, 128  # small: this is not about quality
    picture = data.astronaut()[:120, :160]
    detector = of_model(model, 0.0, torch.device("cpu"))
    before = detector.detect([picture])[0]
    checkpoint.save(tmp_path / "w.safetensors", model.state_dict(), {"arch": arch, "norm_eps": norm_eps(model)})
    loaded = load_detector(tmp_path / "w.safetensors", "cpu", 0.0)
    loaded.detector.sizing = detector.sizing
    after = loaded.detect([picture])[0]
    np.testing.assert_allclose(after.boxes, before.boxes, atol=1e-3)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-5)


def test_detect_takes_no_pictures_and_keeps_the_order_of_several():
    torch.manual_seed(0)
    detector = of_model(build(LIGHT), 0.0, torch.device("cpu"))
    assert detector.detect([]) == []
    pictures = [data.astronaut()[:90, :140], data.coffee()[:60, :50], np.zeros((1, 1, 3), np.uint8)]
    together = detector.detect(pictures)
    assert len(together) == 3
    for faces, picture in zip(together, pictures, strict=True):
        assert (faces.boxes >= 0).all()
        assert (faces.boxes[:, 2] <= picture.shape[1]).all() and (faces.boxes[:, 3] <= picture.shape[0]).all()
        assert (np.diff(faces.scores) <= 0).all()
    with pytest.raises(ValueError, match="uint8 RGB"):
        detector.detect([pictures[0][..., 0]])


def test_imagenet_backbone_is_loaded_from_a_file_and_its_first_stages_freeze(tmp_path):
    torch.manual_seed(1)
    classifier = mobilenet_v2()
    torch.save(classifier.state_dict(), tmp_path / "mobilenet.pth")
    model = build(LIGHT, str(tmp_path / "mobilenet.pth"), trainable_layers=2)
    body = model.backbone.body.state_dict()
    weight = classifier.features[17].conv[0][0].weight
    assert torch.equal(body["17.conv.0.0.weight"], weight)
    learning = {name for name, parameter in model.backbone.body.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[0] for name in learning} == {str(number) for number in range(7, 18)}


def test_imagenet_comes_from_torchs_cache(hub):
    cached = hub / "mobilenet_v2-b0353104.pth"
    torch.save(mobilenet_v2().state_dict(), cached)
    assert build(LIGHT, "imagenet").backbone.body["0"][0].weight.requires_grad is False
    torch.save({"classifier.1.bias": torch.zeros(3)}, cached)
    with pytest.raises(InputError, match="does not fit"):
        build(LIGHT, "imagenet")


def test_coco_comes_from_torchs_cache_with_all_but_the_predictor(hub):
    from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

    arch = "mobilenet_v3_large_320_fpn"
    zoo = fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=91)
    torch.save(zoo.state_dict(), hub / ARCHS[arch].coco.url.rsplit("/", 1)[1])
    model = build(arch, "coco")
    head = "roi_heads.box_head.fc6.weight"
    assert torch.equal(model.state_dict()[head], zoo.state_dict()[head])
    assert model.roi_heads.box_predictor.cls_score.out_features == faster_rcnn.CLASSES
    assert ARCHS["resnet50_fpn"].coco_eps == 0.0  # torchvision's own `overwrite_eps` for these weights


def test_a_checkpoint_in_the_layout_of_torch_2_11_loads(tmp_path):
    """The names that torchvision 0.26 gave its fasterrcnn_resnet50_fpn, written out: not those of the one installed."""
    norm = ("weight", "bias", "running_mean", "running_var")
    names = ["backbone.body.conv1.weight", *(f"backbone.body.bn1.{part}" for part in norm)]
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            one = f"backbone.body.layer{layer}.{block}"
            for number in (1, 2, 3):
                names += [f"{one}.conv{number}.weight", *(f"{one}.bn{number}.{part}" for part in norm)]
            if block == 0:
                names += [f"{one}.downsample.0.weight", *(f"{one}.downsample.1.{part}" for part in norm)]
    parts = [f"backbone.fpn.{kind}_blocks.{number}.0" for kind in ("inner", "layer") for number in range(4)]
    parts += ["rpn.head.conv.0.0", "rpn.head.cls_logits", "rpn.head.bbox_pred", "roi_heads.box_head.fc6"]
    parts += ["roi_heads.box_head.fc7", "roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"]
    names += [f"{name}.{part}" for name in parts for part in ("weight", "bias")]
    shapes = {name: value.shape for name, value in build("resnet50_fpn").state_dict().items()}
    assert {name for name in shapes if "num_batches_tracked" not in name} == set(names)
    shapes |= {"roi_heads.box_predictor.cls_score.weight": (91, 1024), "roi_heads.box_predictor.cls_score.bias": (91,)}
    shapes |= {
        "roi_heads.box_predictor.bbox_pred.weight": (364, 1024),
        "roi_heads.box_predictor.bbox_pred.bias": (364,),
    }
    held = {name: torch.full(shapes[name], number / len(names)) for number, name in enumerate(names)}
    torch.save(held, tmp_path / "w.pth")
    loaded = build("resnet50_fpn", str(tmp_path / "w.pth")).state_dict()
    for name in names:
        if "box_predictor" in name:
            assert len(loaded[name]) == (2 if "cls" in name else 8)
        else:
            assert torch.equal(loaded[name], held[name]), name


def test_weights_that_cannot_be_fetched_are_named_with_the_way_out(hub):
    with pytest.raises(InputError) as told:
        build("resnet50_fpn", "coco")
    assert "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth" in str(told.value)
    assert str(hub) in str(told.value) and "`init`" in str(told.value)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 nor a zip"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        build(LIGHT, str(tmp_path / name))


def test_a_pickle_that_would_run_code_does_not(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError):
        build(LIGHT, str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


def test_wrong_names_are_told():
    with pytest.raises(InputError, match="there are resnet50_fpn"):
        build("resnet51")
    with pytest.raises(InputError, match="no such file"):
        build(LIGHT, "nowhere.pth")
    with pytest.raises(InputError, match="no COCO weights for mobilenet_v2_fpnlite; pass `init` imagenet or a path"):
        build(LIGHT, "coco")
    for init in ("coco", "imagenet"):
        with pytest.raises(InputError, match=r"pass `init` PATH of weights that python -m visavis\.slim made"):
            build("mobilenet_v2_slim_fpnlite", init)


def test_options_that_no_detector_can_have_are_told():
    for options, told in (
        ({"threshold": 2}, "`threshold` must lie between 0 and 1, and is 2"),
        ({"threshold": float("nan")}, "`threshold` must lie between 0 and 1, and is nan"),
        ({"at_once": 0}, "`at_once` must be 1 or more, and is 0"),
    ):
        with pytest.raises(InputError, match=told):
            load_detector(device="cpu", **options)
    detector = load_detector(device="cpu")
    with pytest.raises(InputError, match="`threshold` must lie between 0 and 1, and is 7"):
        detector.threshold = 7


def test_a_checkpoint_of_another_arch_is_refused(tmp_path):
    checkpoint.save(tmp_path / "w.safetensors", {"x": torch.zeros(1)}, {"arch": "resnet50_fpn"})
    with pytest.raises(InputError, match="holds a resnet50_fpn"):
        build(LIGHT, str(tmp_path / "w.safetensors"))
    with pytest.raises(InputError, match="does not fit"):
        load_detector(tmp_path / "w.safetensors")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    path, weights = tmp_path / "w.safetensors", build(LIGHT).state_dict()
    weights["rpn.head.cls_logits.bias"][1] = torch.nan
    checkpoint.save(path, weights, {"arch": LIGHT})
    for load in (lambda: build(LIGHT, str(path)), lambda: load_detector(path, "cpu")):
        with pytest.raises(InputError, match=r"w\.safetensors is damaged: rpn\.head\.cls_logits\.bias"):
            load()


def test_norm_eps_is_kept():
    model = build(LIGHT)
    set_norm_eps(model, 0.25)
    assert norm_eps(model) == 0.25


def test_losses_have_torchvisions_keys_and_ignored_regions_change_them_only_as_background():
    torch.manual_seed(0)
    model = build(LIGHT).train()
    picture = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1).float() / 255
    boxes = torch.tensor([[175.0, 70.0, 280.0, 205.0]])
    ones = torch.ones(1, dtype=torch.int64)
    losses = model([picture], [{"boxes": boxes, "labels": ones}])
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg"}
    whole = torch.tensor([[0.0, 0.0, 512.0, 512.0]])
    anchors = torch.tensor([[0.0, 0.0, 50.0, 50.0], [175.0, 70.0, 280.0, 205.0]])
    targets = [{"boxes": boxes, "labels": ones, "ignore": whole}]
    labels, _ = model.rpn.assign_targets_to_anchors([anchors], targets)
    assert labels[0].tolist() == [-1.0, 1.0]  # neither, and the labelled face all the same
    model.roi_heads.select_training_samples([anchors], targets)
    _, labels = model.roi_heads.assign_targets_to_proposals([anchors], [boxes], [ones])
    assert labels[0].tolist() == [-1, 1]


def test_a_photo_without_faces_gives_losses():
    model = build(LIGHT).train()
    target = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "ignore": torch.zeros(0, 4)}
    losses = model([torch.rand(3, 60, 80)], [target])
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_in_ignored_goes_by_the_share_of_the_boxs_own_area():
    ignored = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    boxes = torch.tensor([[5.0, 0.0, 15.0, 10.0], [6.0, 0.0, 16.0, 10.0], [2.0, 2.0, 4.0, 4.0], [3.0, 3.0, 3.0, 3.0]])
    assert in_ignored(boxes, ignored).tolist() == [True, False, True, False]
    assert in_ignored(boxes, ignored[:0]).tolist() == [False] * 4
    assert in_ignored(boxes[:0], ignored).tolist() == []
