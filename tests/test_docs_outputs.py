"""What the README and docs/ tell one to write is ignored by git, so that no photo is committed by accident; and pages
that list what there is leave nothing out."""

import re
import shutil
import subprocess

import pytest
from typed import ROOT

from visavis.analysers import ANALYSERS
from visavis.detectors import DETECTORS
from visavis.kinds import KINDS

PLACES = re.compile(r"--(?:out|data) (?P<place>[\w./-]+)")


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="needs git and a clone")
def test_outputs_that_the_docs_name_are_ignored() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("    ")]
    named = {found["place"].rstrip("/") for line in lines for found in PLACES.finditer(line)}
    places = sorted(f"{name}/x" for name in named if not name.isupper())  # capitals stand for a name of one's own
    assert {"boxed/x", "runs/faces/x", "slim.safetensors/x"} <= set(places)
    asked = subprocess.run(["git", "-C", ROOT, "check-ignore", *places, "lab/x"], capture_output=True, text=True)
    assert sorted({*places, "lab/x"} - set(asked.stdout.split())) == []


def test_the_pages_that_list_detectors_analysers_and_kinds_of_checkpoints_leave_none_out() -> None:
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    listed = {"evaluation.md": DETECTORS, "checkpoints.md": KINDS, "library.md": ANALYSERS}
    missing = [(page, name) for page, names in listed.items() for name in names if f"`{name}`" not in pages[page]]
    assert missing == []
