"""docs/library.md: every example on the page runs, in order, and does what the page says."""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import visavis
from visavis.checkpoint import SHIPPED

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "library.md"
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> list[str]:
    """The Python of the page, each block after as many empty lines as stand above it, so that errors name its line."""
    text = PAGE.read_text(encoding="utf-8")
    return ["\n" * text.count("\n", 0, match.start(1)) + match[1] for match in FENCED.finditer(text)]


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not importorskip: face_recognition, imported without visavis's guard, makes Pillow accept photos that are cut off.
    if not importlib.util.find_spec("face_recognition"):
        pytest.skip("face_recognition is not installed, and the page loads dlib_hog")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.astronaut()).save("photo.jpg", quality=95)
    Image.fromarray(skimage.data.coffee()).save("coffee.jpg")
    checkpoint = Path("runs/faces/best.safetensors")
    checkpoint.parent.mkdir(parents=True)
    for suffix in (".safetensors", ".onnx"):
        shutil.copy(SHIPPED.with_suffix(suffix), checkpoint.with_suffix(suffix))

    names: dict[str, Any] = {"__name__": "library"}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for block in blocks():
            exec(compile(block, str(PAGE), "exec"), names)

    assert said.getvalue().splitlines() == [
        "0.98: 91 x 116 pixels at 180, 61",
        str(sorted(visavis.DETECTORS)),
        "photo.jpg 1",
        "broken.jpg cannot be read: truncated",
        "no-such.jpg cannot be read: missing",
        f"no detector 'shiped'; give one of {', '.join(visavis.DETECTORS)}, or the path of a checkpoint",
    ]
    photo = np.asarray(Image.open("photo.jpg")).astype(int)
    changed = np.abs(np.asarray(Image.open("redacted.jpg")).astype(int) - photo).mean(axis=2)
    assert changed[80:160, 190:260].mean() > 20 and changed[300:].mean() < 5  # the face; far from it, JPEG's loss alone
    width, height = Image.open("face-0.png").size
    assert abs(width - 127) <= 1 and abs(height - 162) <= 1  # 91 x 116 and two fifths more, each end rounded
    assert 0.038 < names["judged"].attributes["share"][0] < 0.043  # 92 * 119 / 512**2
    page = Path("look.html").read_text(encoding="utf-8")
    assert "My photos" in page and "sharpness" in page


def test_the_folder_above_a_clone_has_an_empty_package_unless_visavis_is_installed(tmp_path: Path) -> None:
    (tmp_path / "visavis").symlink_to(ROOT)

    def python(*words: str, path: str = "") -> "subprocess.CompletedProcess[str]":
        known = os.environ | {"PYTHONPATH": path}
        return subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, env=known)

    said = "module 'visavis' has no attribute 'load_detector'"
    alone = python("-S", "-c", "import visavis; visavis.load_detector()")  # -S: what is installed is not found
    assert said in alone.stderr and f"`{said}` means" in PAGE.read_text(encoding="utf-8")
    installed = python("-c", "import visavis; print(visavis.load_detector.__module__)", path=str(ROOT))
    assert (installed.stdout, installed.stderr) == ("visavis.detectors\n", "")


def test_the_page_has_every_public_name() -> None:
    """What `import visavis` offers stands on the page, but for the names of types alone."""
    text = PAGE.read_text(encoding="utf-8")
    types = {"Analyser", "Detector", "LoadedDetector", "Redaction", "__version__"}
    assert [name for name in visavis.__all__ if name not in types and name not in text] == []
    assert all(hasattr(visavis, name) for name in visavis.__all__)


def test_what_the_page_shows_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys, numpy, visavis\n"
        "visavis.load_analyser('sharpness')\n"
        "visavis.LoadedDetector.detect(visavis.load_detector(), numpy.zeros((64, 64, 3), numpy.uint8))\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
