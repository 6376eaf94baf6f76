"""The ONNX file: other programs find in any photo what PyTorch finds, and nothing in an empty one."""

import json
from collections import Counter
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from PIL import Image
from skimage import data
from typed import typed

from visavis import checkpoint, load_detector, onnx_files
from visavis.checkpoint import SHIPPED
from visavis.images import Picture

PHOTOS = 40
LOWEST = 0.05
SIZE = 512


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The shipped detector, exported by the command."""
    out = tmp_path_factory.mktemp("export") / "shipped.onnx"
    done = typed("-m", "visavis.export", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "MB" in done.stderr
    return out


def photos() -> list[Picture]:
    """Photos that scikit-image ships: cuts of all sizes, mirrored, turned, brighter and darker. Most show a face."""
    random = np.random.default_rng(0)
    sources = [Image.fromarray(data.astronaut()).crop((60, 0, 360, 300))] * 4
    sources += [Image.fromarray(getattr(data, name)()).convert("RGB") for name in ("camera", "coffee", "chelsea")]
    made = []
    for number in range(PHOTOS):
        source = sources[number % len(sources)]
        picture = source.rotate(random.uniform(-25, 25)) if random.random() < 0.5 else source
        width, height = (int(side * random.uniform(0.7, 1)) for side in picture.size)
        left, top = random.integers(picture.width - width + 1), random.integers(picture.height - height + 1)
        picture = picture.crop((left, top, left + width, top + height))
        factor = random.uniform(60, 140) / min(width, height)
        picture = picture.resize((round(width * factor), round(height * factor)))
        values = np.asarray(picture)[:, :: random.choice([-1, 1])] * random.uniform(0.6, 1.2)
        made.append(np.ascontiguousarray(values.clip(0, 255).astype(np.uint8)))
    return [*made, *(np.asarray(Image.fromarray(data.astronaut()).resize(size)) for size in ((900, 700), (1300, 400)))]


def one_look(backend):
    """The shipped detector as its file looks at pictures: a single time, small ones are enlarged no further, and each
    face has the score of one that is alone."""
    detector = load_detector("shipped", "cpu", LOWEST, backend=backend).detector.once()
    detector.sizing = replace(detector.sizing.resized(SIZE), enlarge=detector.sizing.enlarge)
    detector.calibration = replace(detector.calibration, company=0.0)
    return detector


@pytest.fixture(scope="module")
def expected():
    """What PyTorch finds in them at one look, which is the file's."""
    detector = one_look("torch")
    pictures = photos()
    found = [detector.detect([picture])[0] for picture in pictures]
    assert sum(map(len, found)) > PHOTOS / 2
    return list(zip(pictures, found, strict=True))


def in_onnxruntime(file: Path):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(photo, threshold, size=(SIZE, 1280)):
        inputs = {"photo": photo, "threshold": np.array(threshold, np.float32), "size": np.array(size)}
        return session.run(["boxes", "scores"], inputs)

    return run


def in_openvino(file: Path):
    request = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()

    def run(photo, threshold, size=(SIZE, 1280)):
        inputs = {"photo": photo, "threshold": np.array(threshold, np.float32), "size": np.array(size)}
        found = request.infer(inputs)
        return found["boxes"].copy(), found["scores"].copy()

    return run


def our_openvino(file: Path):
    detector = one_look("openvino")

    def run(photo, threshold):
        faces = detector.detect([photo])[0]
        return faces.boxes, faces.scores

    return run


# OpenVINO divides by multiplying with the inverse: given the photo itself, a few pixels of what it resizes are a grey
# level off, and scores by some hundredths. Given a picture at its size in the network, as by our back end, it is exact.
@pytest.mark.parametrize("program, step", [(in_onnxruntime, 1), (our_openvino, 3)])
def test_boxes_and_scores_are_pytorchs_on_forty_photos(program, step, written, expected):
    run, close = program(written), 1e-3
    assert len(expected) >= PHOTOS
    for number, (photo, faces) in [*enumerate(expected)][-1::-step]:  # the last two are the largest
        boxes, scores = run(photo, LOWEST)
        sure = faces.scores > LOWEST + close  # below, a rounding may decide
        assert abs(len(scores) - len(faces)) <= len(faces) - sure.sum(), number
        np.testing.assert_allclose(boxes[: sure.sum()], faces.boxes[sure], atol=0.5, err_msg=str(number))
        np.testing.assert_allclose(scores[: sure.sum()], faces.scores[sure], atol=close, err_msg=str(number))


@pytest.mark.parametrize("program", [in_onnxruntime, in_openvino])
def test_nothing_is_found_in_empty_pictures_of_any_size(program, written):
    run = program(written)
    sizes = ((1, 1), (1, 5000), (5000, 1), (64, 64), (1100, 900), *[(400, 600)] * 3)
    for size, level in zip(sizes, cycle((0, 128, 255)), strict=False):
        boxes, scores = run(np.full((*size, 3), level, np.uint8), 0.3)
        assert boxes.shape == (0, 4) and scores.shape == (0,), (size, level)
    boxes, scores = run(data.astronaut(), 1.0)
    assert len(scores) == 0
    assert len(run(data.astronaut(), 0.5)[1]) == 1  # and goes on as before


def test_the_size_in_the_network_is_an_input(written):
    run = in_onnxruntime(written)
    for size in (256, 320):
        faces = load_detector("shipped", "cpu", 0.5, backend="torch", size=size).detect([data.astronaut()])[0]
        boxes, scores = run(data.astronaut(), 0.5, (size, 1280))
        np.testing.assert_allclose(boxes, faces.boxes, atol=0.5)
        np.testing.assert_allclose(scores, faces.scores, atol=1e-3)


def test_the_file_is_valid_and_says_what_it_is_of(written):
    model = onnx.load(written)
    onnx.checker.check_model(model, full_check=True)
    assert [one.name for one in model.graph.input] == ["photo", "size", "threshold"]
    assert [one.name for one in model.graph.output] == ["boxes", "scores"]
    (entry,) = model.metadata_props
    known = json.loads(entry.value)
    assert known == onnx_files.metadata(written)
    assert known["checkpoint"] == checkpoint.fingerprint(SHIPPED)
    assert known["threshold"] == load_detector(device="cpu").threshold


def test_the_shipped_file_is_of_the_shipped_checkpoint(written):
    shipped = onnx_files.beside(SHIPPED)
    assert shipped is not None, (
        "visavis/weights holds an ONNX file of another checkpoint: python -m visavis.export --overwrite"
    )
    ours, new = onnx.load(shipped), onnx.load(written)
    # Versions of torch give other names, and another order.
    assert Counter(node.op_type for node in ours.graph.node) == Counter(node.op_type for node in new.graph.node)
    assert Counter(one.raw_data for one in ours.graph.initializer) == Counter(
        one.raw_data for one in new.graph.initializer
    )


def test_what_is_there_is_not_replaced_and_wrong_input_is_told(tmp_path):
    (tmp_path / "w.onnx").write_text("mine")
    done = typed("-m", "visavis.export", "--out", tmp_path / "w.onnx")
    assert done.returncode == 2 and "--overwrite" in done.stderr
    assert (tmp_path / "w.onnx").read_text() == "mine"
    done = typed("-m", "visavis.export", tmp_path / "gone.safetensors")
    assert done.returncode == 2 and "no weights at" in done.stderr
    done = typed("-m", "visavis.export", "--out", tmp_path / "w.onnx" / "new.onnx")
    assert done.returncode == 2 and f"cannot write {tmp_path / 'w.onnx' / 'new.onnx'}: " in done.stderr


def test_the_shipped_file_says_nothing_of_the_machine_that_made_it():
    file = onnx.load(SHIPPED.with_suffix(".onnx"))
    assert not any(one.metadata_props for one in (*file.graph.node, *file.graph.value_info, *file.graph.input))
    assert b".py" not in file.SerializeToString()
