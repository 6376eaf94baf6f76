"""What commands make of files and folders that cannot be used, wherever they find out."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typed import typed

from visavis.commands.commandline import main


@dataclass(frozen=True)
class Options:
    """None."""


@pytest.mark.parametrize(
    "use, name, why",
    [
        (lambda folder: (folder / "gone/faces.csv").open(), "gone/faces.csv", "No such file or directory"),
        (lambda folder: (folder / "file/faces.csv").read_bytes(), "file/faces.csv", "Not a directory"),
        (lambda folder: (folder / "file").rename(folder / "gone/there"), "gone/there", "No such file or directory"),
        (lambda folder: os.listdir(os.fsencode(folder / "gone")), "gone", "No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(
    use: Callable[[Path], object],
    name: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["tool"])
    with pytest.raises(SystemExit) as ended:
        main(lambda options: use(tmp_path) and None, Options, "tool")
    assert ended.value.code == 2
    place = tmp_path / name
    assert capsys.readouterr().err == (
        f"tool: cannot use {place} ({why}): correct that, then run the command again or resume it\n"
    )


def test_a_table_that_is_a_folder_is_no_fault_of_the_program(tmp_path: Path):
    (tmp_path / "labels.csv").mkdir()
    done = typed("-m", "dataset", "summary", "--data", tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path / 'labels.csv'}" in done.stderr and "s a directory" in done.stderr
