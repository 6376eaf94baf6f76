"""One detector, three programs that may run it: which one does, and that all find the same."""

import ctypes
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from skimage import data

from visavis import checkpoint, load_detector, onnx_files
from visavis.checkpoint import SHIPPED
from visavis.detectors.faster_rcnn import backends, openvino_cache
from visavis.detectors.faster_rcnn.architectures import build, norm_eps
from visavis.detectors.faster_rcnn.eager import of_model
from visavis.errors import InputError
from visavis.faces import Faces
from visavis.images import resize

BACKENDS = ("torch", "onnxruntime", "openvino")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "visavis"


def test_all_back_ends_find_the_same_and_heed_threshold_and_size():
    large = resize(data.astronaut(), (1500, 1500))
    pictures = [data.astronaut(), large, np.zeros((30, 40, 3), np.uint8), data.astronaut()[:, 100:300]]
    found = {}
    for name in BACKENDS:
        detector = load_detector("shipped", "cpu", backend=name, size=320)
        assert name in detector.about.runs
        assert detector.detect([]) == []
        found[name] = detector.detect(pictures)
        detector.threshold = 1e-6
        found[name] += detector.detect(pictures[:1])
        for faces, picture in zip(found[name], [*pictures, pictures[0]], strict=True):
            assert (faces.boxes[:, 2] <= picture.shape[1]).all() and (faces.boxes >= 0).all()
    assert list(map(len, found["torch"]))[:4] == [1, 1, 0, 1] and len(found["torch"][4]) > 1
    for name in BACKENDS[1:]:
        for mine, theirs in zip(found[name], found["torch"], strict=True):
            np.testing.assert_allclose(mine.boxes, theirs.boxes, atol=0.05 * 1500 / 320)
            np.testing.assert_allclose(mine.scores, theirs.scores, atol=1e-3)


def test_the_default_starts_without_torch_and_is_the_fastest():
    program = (
        "import sys, visavis; from skimage import data\n"
        "detector = visavis.load_detector(device='cpu')\n"
        "assert len(detector.detect([data.astronaut()])[0]) == 1\n"
        "assert detector.about.runs.startswith(sys.argv[1]), detector.about.runs\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program, backends.FASTEST[0]], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_that_is_missing_is_named_or_passed_over(monkeypatch):
    missing = {"onnxruntime"}
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name in missing else object())
    with pytest.raises(InputError, match="pip install onnxruntime"):
        load_detector("shipped", "cpu", backend="onnxruntime")
    assert load_detector("shipped", "cpu").about.runs.startswith("openvino")
    missing.add("openvino")
    assert load_detector("shipped", "cpu").about.runs.startswith("torch")


def test_a_checkpoint_is_exported_once_when_asked_for(cache, tmp_path, capsys):
    torch.manual_seed(0)
    arch = "mobilenet_v3_large_320_fpn"
    model, path = build(arch), tmp_path / "w.safetensors"
    checkpoint.save(path, model.state_dict(), {"arch": arch, "norm_eps": norm_eps(model), "threshold": 0.0})
    picture = data.astronaut()[:120, :160]
    plain = load_detector(path, "cpu")
    assert plain.about.runs.startswith("torch") and not cache.exists()  # nothing is made unasked
    expected = plain.detect([picture])[0]
    cache.mkdir(parents=True)
    (cache / f"{checkpoint.fingerprint(path)}-{onnx_files.MADE}.onnx").write_bytes(b"cut off")  # is no such file
    for said in (True, False):
        faces = load_detector(path, "cpu", backend="onnxruntime").detect([picture])[0]
        assert ("exporting" in capsys.readouterr().err) == said
        assert len(faces) == len(expected) > 0
        np.testing.assert_allclose(np.sort(faces.scores), np.sort(expected.scores), atol=1e-4)
        assert len(list(cache.iterdir())) == 1


def test_an_onnx_file_of_another_checkpoint_is_passed_over(tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(SHIPPED.read_bytes())
    copy.with_suffix(".onnx").write_bytes(SHIPPED.with_suffix(".onnx").read_bytes())
    assert onnx_files.beside(copy) == copy.with_suffix(".onnx")
    made = copy.with_suffix(".onnx").read_bytes()
    copy.with_suffix(".onnx").write_bytes(made.replace(b'{"made": %d' % onnx_files.MADE, b'{"made": 0'))
    assert onnx_files.beside(copy) is None  # of a release before
    copy.with_suffix(".onnx").write_bytes(made)
    checkpoint.relabel(copy, checkpoint.metadata(copy) | {"temperature": 2.0})
    assert onnx_files.beside(copy) is None
    assert load_detector(copy, "cpu").about.runs.startswith("torch")
    for other in (b"some other program's", b"", b"123", b"[]", b'{"made": 4'):
        copy.with_suffix(".onnx").write_bytes(other)
        assert onnx_files.beside(copy) is None


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_an_onnx_file_that_is_damaged_is_told_by_name(tmp_path, backend):
    copy = tmp_path / "copy.safetensors"
    shutil.copy(SHIPPED, copy)
    whole = SHIPPED.with_suffix(".onnx").read_bytes()
    copy.with_suffix(".onnx").write_bytes(bytes(10_000) + whole[10_000:])  # it still says which checkpoint it is of
    with pytest.raises(InputError, match=r"copy\.onnx cannot be used .*; remove it"):
        load_detector(copy, "cpu", backend=backend).detect([data.astronaut()])


def test_what_cannot_be_honoured_is_said():
    for options, told in (
        ({"backend": "tensorrt"}, "choose one of auto, torch"),
        ({"precision": "int4"}, "choose one of fp32"),
        ({"precision": "fp16", "backend": "torch"}, "give bf16 or fp32"),
        ({"precision": "bf16", "backend": "onnxruntime"}, "fp32 only"),
        ({"size": 3}, "`size`"),
    ):
        with pytest.raises(InputError, match=told):
            load_detector("shipped", "cpu", **options)
    with pytest.raises(InputError, match="leave out `backend` or `device`"):
        load_detector("shipped", "cuda", backend="openvino")
    with pytest.raises(InputError, match="dlib_hog"):
        load_detector("dlib_hog", "cpu", size=320)
    with pytest.raises(InputError, match="dlib_hog"):
        load_detector("dlib_hog", "cpu", backend="torch")


def test_sixteen_bits_find_the_same_face_within_pixels():
    exact = load_detector("shipped", "cpu").detect([data.astronaut()])[0]
    for name in ("torch", "auto"):  # auto is OpenVINO where that has 16 bits on this CPU
        detector = load_detector("shipped", "cpu", backend=name, precision="bf16")
        assert "bf16" in detector.about.runs
        faces = detector.detect([data.astronaut()])[0]
        np.testing.assert_allclose(faces.boxes, exact.boxes, atol=4)
        assert faces.boxes.tolist() != exact.boxes.tolist()  # it is not fp32 under another name


def test_a_strip_first_leaves_later_pictures_alone():
    torch.manual_seed(0)
    model = build("mobilenet_v2_fpnlite")
    strip, picture = np.zeros((2, 900, 3), np.uint8), data.astronaut()[:100, :120]
    before = of_model(model, 0.0, torch.device("cpu")).detect([picture])[0]
    detector = of_model(model, 0.0, torch.device("cpu"))
    detector.detect([strip])
    after = detector.detect([picture])[0]
    np.testing.assert_array_equal(after.boxes, before.boxes)


TOGETHER = """
import sys, threading, visavis
from skimage import data
detector = visavis.load_detector(device="cpu", backend=sys.argv[1], at_once=2)
pictures, found = [data.astronaut()[:, :number] for number in range(300, 512, 30)], {}
def look(first):
    for number in range(first, len(pictures), 2):
        found[number] = detector.detect([pictures[number]])[0]
threads = [threading.Thread(target=look, args=(first,)) for first in range(2)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
for number, picture in enumerate(pictures):
    faces = detector.detect([picture])[0]
    assert (faces.boxes == found[number].boxes).all() and (faces.scores == found[number].scores).all()
print(detector.about.at_once, sum(map(len, found.values())))
"""


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_calls_at_once_find_what_calls_one_by_one_find(backend):
    """In a new process, whose first calls come together."""
    cores = len(os.sched_getaffinity(0))
    program = [sys.executable, "-c", TOGETHER, backend]
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(min(2, cores)), "8"]


def test_what_openvino_made_is_kept_where_that_can_be(cache):
    made = set()
    for _ in range(2):
        assert len(load_detector("shipped", "cpu", backend="openvino").detect([data.astronaut()])[0]) == 1
        (kept,) = (cache / "openvino").iterdir()
        made.add(kept.stat().st_ino)
    assert len(made) == 1
    shutil.rmtree(cache)
    cache.write_text("a file in the folder's place")
    assert len(load_detector("shipped", "cpu", backend="openvino").detect([data.astronaut()])[0]) == 1


def test_what_openvino_made_is_not_used_where_it_is_damaged(cache):
    def look() -> Faces:
        return load_detector("shipped", "cpu", backend="openvino").detect([data.astronaut()])[0]

    whole = look()
    (kept,) = (cache / "openvino").iterdir()
    good = kept.read_bytes()
    middle = len(good) // 2
    for bad in (good[:middle] + bytes(4096) + good[middle + 4096 :], good[:middle], good[:10], b""):
        kept.write_bytes(bad)
        again = look()
        assert (again.boxes == whole.boxes).all() and (again.scores == whole.scores).all()
        assert openvino_cache._read(kept) is not None


def test_what_openvino_made_goes_where_it_was_not_used_for_long(cache, monkeypatch):
    folder = cache / "openvino"
    monkeypatch.setattr(openvino_cache, "MOST", 3)
    for number in range(5):
        openvino_cache._write(folder / f"{number}.blob", b"network")
        if number == 0:
            continue
        os.utime(folder / f"{number}.blob", (number, number))
        assert openvino_cache._read(folder / "0.blob") == b"network"  # which touches it
    assert sorted(path.name for path in folder.iterdir()) == ["0.blob", "3.blob", "4.blob"]


def test_openvino_leaves_no_stack_for_signals_behind():
    """It would be freed with the network, and a signal handled there ends the process."""

    class Stack(ctypes.Structure):
        _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    def stack() -> tuple[int, int]:
        found = Stack()
        assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found)) == 0
        return found.start, found.size

    before = stack()
    detector = load_detector("shipped", "cpu", backend="openvino")
    assert len(detector.detect([data.astronaut()])[0]) == 1
    assert stack() == before
