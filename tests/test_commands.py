"""Every command at its edge: complete help without torch, and one clear line for what cannot be used."""

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import skimage
from typed import ROOT, typed

ASTRONAUT = Path(skimage.__file__).parent / "data" / "astronaut.png"
LABELS = "image_id,identity,url,x1,y1,x2,y2,pose,score,curated\n"

# The words of a command line -> module and dataclass of its options.
COMMANDS = {
    "-m download lists": "download.lists:Options",
    "-m download images": "download.images:Options",
    "-m download merge": "download.merge:Options",
    "-m clean": "clean.__main__:Options",
    "-m dataset summary": "dataset.__main__:Summary",
    "-m dataset sheet": "dataset.__main__:Sheet",
    "-m dataset look": "dataset.__main__:Look",
    "-m dataset windows search": "dataset.__main__:Windows",
    "-m dataset import": "dataset.__main__:Import",
    "-m dataset export": "dataset.__main__:Export",
    "train.py": "train:Options",
    "evaluate.py": "evaluate:Options",
    "predict.py": "predict:Options",
    "serve.py": "serve:Options",
    "-m visavis people": "visavis.commands.people:Options",
    "-m visavis.export": "visavis.commands.export:Options",
    "-m visavis.slim": "visavis.commands.slim:Options",
    "-m demo.site": "demo.site:Options",
    "-m demo": "demo.__main__:Options",  # after demo.site, which it imports: runpy warns of a module loaded before
}


LOADED = """
import runpy, sys
for command in {commands}:
    sys.argv = command.removeprefix("-m ").split() + ["--help"]
    try:
        if command.startswith("-m "):
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        assert not end.code
    print(command, *sys.modules, sep="|", file=sys.stderr)
"""
"""A program that asks each command for its help, and lists on stderr what is loaded by then."""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_the_command_as_it_was_typed_and_every_option(command: str) -> None:
    done = typed(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(rf"usage: python (/\S*/)?{command} \[-h\] ", done.stdout)
    wrong = typed(*command.split(), "--no-such-option")
    assert wrong.returncode == 2 and f"{command} --help" in re.sub(r"[\s│]+", " ", wrong.stderr)
    module, name = COMMANDS[command].split(":")
    options: Any = getattr(importlib.import_module(module), name)
    for field in flat(options):
        name = f"--{field.replace('_', '-')} "
        if field in ("source", "photos", "folder", "kind"):  # those that are given without a name
            name = "positional arguments"
        assert name in done.stdout.replace(",", " "), field


def test_help_breaks_no_line_early_and_shows_what_may_be_left_out_as_what_it_is() -> None:
    lines = [line.strip(" │") for line in typed("predict.py", "--help").stdout.splitlines()]
    first = lines.index("--threshold FLOAT   Lowest score of a face, 0 to 1. The default is the")
    assert lines[first + 1 : first + 3] == ["detector's own: for a checkpoint, that of the best F1 in", "validation."]
    assert lines[0].endswith("predict.py [-h] [OPTIONS] [PHOTO ...]")
    assert not [line for line in lines if "{None}" in line or "(default: None)" in line or "(default: )" in line]


def flat(options: Any) -> Iterator[str]:
    """The names of the options, those of the dataclasses in it among them."""
    for field in fields(options):
        yield from flat(field.type) if is_dataclass(field.type) else [field.name]


def test_no_help_loads_torch() -> None:
    program = LOADED.format(commands=list(COMMANDS))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr
    loaded = {command: set(modules) for command, *modules in (line.split("|") for line in done.stderr.splitlines())}
    assert loaded.keys() == COMMANDS.keys()
    heavy = {"torch", "torchvision", "matplotlib", "face_recognition", "pandas", "scipy", "cv2", "imagehash"}
    assert {command: modules & heavy for command, modules in loaded.items()} == {key: set() for key in COMMANDS}
    assert all("tyro" in modules for modules in loaded.values())  # the listing is there


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an empty data folder, one with a broken table, and files that are not what they are called."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "labels.csv").write_text(LABELS.replace(",x2", "") + "a/1,a,http://a.org/1,1,1,9,,,1\n")
    (tmp_path / "text.jpg").write_text("these are words\n")
    (tmp_path / "text.safetensors").write_text("these are words\n")
    (tmp_path / "photo.png").write_bytes(ASTRONAUT.read_bytes())
    return tmp_path


WRONG = {
    "download lists gone.tar.gz --data new": "gone.tar.gz",
    "download lists text.jpg --data new": "text.jpg",
    "download images --data absent": "labels.csv",
    "download images --data empty": "labels.csv",
    "download images --data broken": "no column x2",
    "download merge absent --data new": "downloads.csv",
    "clean --data absent": "absent",
    "clean --data empty": "empty",
    "clean --data broken": "no column x2",
    "dataset summary --data absent": "absent",
    "dataset summary --data empty": "empty",
    "dataset summary --data broken": "no column x2",
    "dataset sheet --data empty --out new.jpg": "python -m dataset sheet: ",
    "dataset windows search --find 50": "python -m dataset windows search: --find must be at",
    "dataset import gone.csv --out new": "gone.csv",
    "dataset import wider gone.txt --out new": "gone.txt",
    "dataset import coco text.jpg --out new": "text.jpg is not valid JSON",
    "dataset import voc empty --out new": "holds no XML",
    "dataset import yolo text.jpg --out new": "it has no names",
    "dataset import text.jpg --out new": "its format is not clear",
    "dataset export coco --data empty --out new": "empty",
    "dataset look --data empty --out new.html": "empty",
    "dataset look --data imported --split val --val 0 --out new.html": "a share of 0 of 10 identities is too small",
    "dataset sheet --data imported --val 0.6 --test 0.6 --out new.jpg": "add up to 1 at most",
    "train.py --data absent --out new --init none": "absent",
    "train.py --data empty --out new --init none": "empty",
    "train.py --data broken --out new --init none": "no column x2",
    "evaluate.py --data absent --out new": "absent",
    "evaluate.py --data empty --out new": "empty",
    "evaluate.py --data broken --out new": "no column x2",
    "evaluate.py --data imported --detector text.safetensors --split all --out new": "text.safetensors",
    "evaluate.py --data imported --detector gone.safetensors --split all --out new": "gone.safetensors",
    "train.py --data imported --val 0.5 --out new --arch resnet51 --init none": "resnet51",
    "train.py --data imported --val 0.5 --out new --arch mobilenet_v2_fpn --init text.safetensors": "text.safetensors",
    "predict.py": "give photos, videos or folders",
    "predict.py gone --out new": "gone",
    "predict.py empty --out new": "empty",
    "predict.py photo.png --detector text.safetensors --out new": "text.safetensors",
    "predict.py photo.png --detector gone.safetensors --out new": "gone.safetensors",
    "predict.py photo.png --precision fp16 --backend torch --device cpu --out new": "give bf16 or fp32",
    "predict.py photo.png --detector dlib_hog --backend openvino --out new": "dlib_hog runs in one way only",
    "predict.py photo.png --size 3 --out new": "--size must be 32 or more, and is 3",
    "predict.py photo.png --batch-size 0 --out new": "--batch-size must be at least 1, not 0",
    "predict.py gone --detector nonsense --out new": "no detector 'nonsense'; give one of shipped, single_face",
    "predict.py gone --analyse nonsense --out new": "no analyser 'nonsense'; there are mask, age",
    "visavis people gone --detector nonsense --out new": "no detector 'nonsense'; give one of shipped, single_face",
    "evaluate.py --data empty --detector nonsense --out new": "no detector 'nonsense'; give one of shipped",
    "evaluate.py --data empty --analyse nonsense --out new": "no analyser 'nonsense'; there are mask, age",
    "evaluate.py --data empty --analyse mask --detect --detector nonsense --out new": "no detector 'nonsense'",
    "evaluate.py --data imported --split all --size 0 --out new": "--size must be at least 1 and at most 3072, not 0",
    "train.py --data imported --ema 1 --out new": "--ema must be at least 0 and less than 1, not 1",
    "download images --data empty --deadline 0": "--deadline must be more than 0, not 0",
    "visavis.export gone.safetensors": "gone.safetensors",
    "visavis.export .": "no weights at",
    "visavis.export --out empty --overwrite": "is a folder",
    "visavis.export --out text.jpg/x.onnx": "cannot write",
    "demo.site absent": "absent",
    "demo.site empty": "boxes.csv",
}
"""Command line -> what its one line on stderr must name."""


@pytest.mark.parametrize("line", WRONG)
def test_bad_input_is_one_line_and_status_2_and_writes_nothing(line: str, place: Path) -> None:
    if "imported" in line:
        _import(place)
    before = sorted(place.rglob("*"))
    first, *rest = line.split()
    words = [str(place / word) if _is_path(word) else word for word in rest]
    done = typed(*(() if first.endswith(".py") else ("-m",)), first, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (said,) = done.stderr.strip().splitlines()
    assert WRONG[line] in said
    assert not done.stdout
    assert sorted(place.rglob("*")) == before


def test_a_photo_that_is_a_text_file_is_a_row_with_a_reason(place: Path) -> None:
    done = typed("predict.py", place / "text.jpg", "--out", place / "out")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "not_image" in (place / "out" / "files.csv").read_text()


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_what_is_for_a_stream_that_is_closed_goes_nowhere(closed: str, place: Path) -> None:
    command = [sys.executable, "-m", "dataset", "summary", "--data", str(place / "absent")]
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *command], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout and not done.stderr


def test_an_unknown_option_is_refused() -> None:
    done = typed("-m", "clean", "--no-such-option", "1")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr and "Traceback" not in done.stderr


def _is_path(word: str) -> bool:
    names = ("absent", "empty", "broken", "imported", "new", "gone")
    return word in names or ("." in word and not word.replace(".", "").isdigit())


def _import(place: Path) -> None:
    """A good data folder of ten photos in `place`/imported."""
    source = place / "source"
    source.mkdir()
    rows = ["image,x1,y1,x2,y2,identity"]
    for number in range(10):
        (source / f"{number}.png").write_bytes(ASTRONAUT.read_bytes())
        rows.append(f"{number}.png,180,68,272,186,person{number}")
    (source / "boxes.csv").write_text("\n".join(rows) + "\n")
    done = typed("-m", "dataset", "import", source / "boxes.csv", "--out", place / "imported")
    assert done.returncode == 0, done.stderr
