"""benchmarks.clean: what it says of data in which there is too little to measure by."""

from pathlib import Path

import pytest
from cleaning import ASTRONAUT, Folder
from typed import typed

from dataset.split import split_of
from visavis.images import encode

HELD_OUT = next(name for name in "abcdefghijklmnopqrstuvwxyz" if split_of(name, "") == "val")
LEARNT = next(name for name in "abcdefghijklmnopqrstuvwxyz" if split_of(name, "") == "train")


@pytest.mark.parametrize(
    ("person", "words", "told"),
    [
        (LEARNT, (), "has no photo for validation; give a data folder of more people"),
        (HELD_OUT, ("--only", "faults"), "--good 200: 1 photo for validation with a single face"),
        (HELD_OUT, ("--only", "speed"), "--timed and --large: 1 labelled photo; give smaller numbers"),
    ],
)
def test_data_with_too_few_photos_are_refused(tmp_path: Path, person: str, words: tuple[str, ...], told: str) -> None:
    folder = Folder(tmp_path / "data")
    folder.add(f"{person}/1", encode(ASTRONAUT))
    done = typed("-m", "benchmarks.clean", "--data", folder.write(), "--out", tmp_path / "clean.json", *words)
    assert done.returncode == 2 and told in done.stderr
    assert not (tmp_path / "clean.json").exists()
