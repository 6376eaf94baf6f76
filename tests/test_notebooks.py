"""The notebooks run from top to bottom, and are committed with their pictures, small enough to read on the web."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from typed import ROOT, typed

from dataset import tables
from demo import photos

NAMES = ("01_the_data", "02_batches", "03_training", "04_predictions", "05_what_a_face_tells", "06_points",
         "07_who_is_who", "08_viola_jones", "09_from_one_box_to_many")  # fmt: skip
LARGEST = 1_500_000

SMALLER = {
    "03_training": {"MOSAICS": 8},
    "05_what_a_face_tells": {"EPOCHS": 2},
    "09_from_one_box_to_many": {"STEPS": 6, "TIMES": 1},
}
"""What a notebook names, with a value that takes less time than the one with which it is committed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with what the demo leaves, made the short way: fewer photos, no site, no cleaner, and one
    short epoch."""
    place = tmp_path_factory.mktemp("project")
    for name in ("benchmarks", "clean", "dataset", "demo", "train.py", "visavis"):
        (place / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "notebooks", place / "notebooks")
    out = place / "demo-out"
    photos.build(out / "photos", each=3)
    source = out / "photos" / "boxes.csv"
    rows = [row | {"image": f"{row['identity']}/{row['image'].rsplit('_', 1)[1]}"} for row in tables.rows(source)]
    for row, named in zip(tables.rows(source), rows, strict=True):  # a folder a person, as downloads have it
        (out / "photos/images" / named["image"]).parent.mkdir(exist_ok=True)
        if (out / "photos/images" / row["image"]).exists():
            (out / "photos/images" / row["image"]).rename(out / "photos/images" / named["image"])
    tables.write(source, rows, rows[0].keys())
    done = typed("-m", "dataset", "import", "csv", source, "--out", out / "data")
    assert done.returncode == 0, done.stderr
    first, second, *rest = dict.fromkeys(row["image_id"] for row in tables.rows(out / "data" / "labels.csv"))
    verdicts = [{"image_id": name, "keep": 1, "reason": "", "detail": ""} for name in rest]
    verdicts += [{"image_id": first, "keep": 0, "reason": "duplicate", "detail": f"same bytes as {second}"}]
    verdicts += [{"image_id": second, "keep": 0, "reason": "truncated", "detail": ""}]
    tables.write(out / "data" / "clean.csv", verdicts)
    (out / "data/images" / f"{second}.jpg").unlink()  # linked to the source, so not to be written to
    (out / "data/images" / f"{second}.jpg").write_bytes(b"\xff\xd8\xff torn")
    short = ["--epochs", "1", "--limit", "4", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--size", "128"]
    start = ["--arch", "mobilenet_v2_slim_fpnlite", "--init", "shipped", "--lr", "1e-5"]
    done = typed("train.py", "--data", out / "data", "--out", out / "run", *start, *short)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def kernel(place: Path) -> Iterator[AsyncKernelManager]:
    """One process for all notebooks: torch and matplotlib, which take seconds to import, are imported once."""
    kernel = AsyncKernelManager(kernel_name="python3")
    run_sync(kernel.start_kernel)(cwd=place / "notebooks")
    yield kernel
    run_sync(kernel.shutdown_kernel)(now=True)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_top_to_bottom(place: Path, kernel: AsyncKernelManager, name: str) -> None:
    notebook = nbformat.read(place / "notebooks" / f"{name}.ipynb", 4)
    for cell in notebook.cells:
        cell.pop("outputs", None) if cell.cell_type != "code" else cell.update(outputs=[])
    smaller(notebook, SMALLER.get(name, {}))
    # It knows no name of the notebook before it, and starts where it would.
    anew = nbformat.v4.new_code_cell(f"%reset -f\n%matplotlib inline\n%cd -q {place / 'notebooks'}")
    notebook.cells.insert(0, anew)
    NotebookClient(notebook, timeout=1200, km=kernel).execute()
    assert pictures(notebook) >= 2
    assert not [output for output in outputs(notebook) if output.output_type == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_committed_as_it_ran(name: str) -> None:
    path = ROOT / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert path.stat().st_size < LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run `make notebooks KEEP=1`"
    assert pictures(notebook) >= 2
    text = json.dumps(notebook)
    assert not [place for place in ("/tmp/", "/home/", "/root/", str(ROOT)) if place in text]
    assert not [
        output for output in outputs(notebook) if output.output_type == "error" or output.get("name") == "stderr"
    ]


def test_there_are_no_others() -> None:
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == sorted(NAMES)


def smaller(notebook: nbformat.NotebookNode, settings: dict[str, int]) -> None:
    """Give what is named in the code other values."""
    for name, value in settings.items():
        found = 0
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source, count = re.subn(rf"^{name} = \d+$", f"{name} = {value}", cell.source, flags=re.MULTILINE)
                found += count
        assert found == 1, name


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(notebook: nbformat.NotebookNode) -> int:
    return sum(kind in output.get("data", {}) for output in outputs(notebook) for kind in ("image/png", "image/jpeg"))
