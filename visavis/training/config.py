"""config.json of a run: its options, versions, machine and the commit of the code."""

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from visavis.cores import cores
from visavis.errors import InputError
from visavis.files import replaced
from visavis.messages import say
from visavis.options import plain, renewed

__all__ = ["plain", "renewed"]  # of options, whose record is this file's matter

NAME = "config.json"
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "safetensors")

Options = TypeVar("Options")


def surroundings() -> dict[str, Any]:
    """Versions, machine and the commit of the code (None where git does not know it)."""
    return {
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": cores()},
        "commit": commit(Path(__file__)),
    }


def write(folder: Path, described: dict[str, Any]) -> None:
    """Write config.json atomically."""
    with replaced(folder / NAME) as file:
        json.dump(described, file, indent=2)
        file.write("\n")


def read(folder: Path) -> dict[str, Any]:
    """The content of a run's config.json. Raises InputError if it is missing or unreadable."""
    try:
        return dict(json.loads((folder / NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(
            f"`resume`: there is no run in {folder} ({NAME} is missing); give the run's folder as `out`"
        ) from None
    except ValueError as error:
        raise InputError(f"`resume`: {folder / NAME} is not valid JSON: {error}") from None


def check_new(folder: Path) -> None:
    """Raise InputError for a folder that holds a run."""
    if any((folder / name).exists() for name in (NAME, "metrics.jsonl")):
        raise InputError(f"{folder} holds a run already; continue it with `resume`, give another `out`, or remove it")


def check_data(folder: Path, fingerprint: Any, data: Path) -> None:
    """Raise InputError if the run in the folder began with other tables."""
    if read(folder)["data"] != fingerprint:
        raise InputError(
            f"`resume`: the tables in {data} have changed since the run began; start a new one from its weights with "
            f"`init` {folder / 'last.safetensors'} `out` NEW"
        )


def check_teacher(folder: Path, fingerprint: str | None, teacher: Path | None) -> None:
    """Raise InputError if the run in the folder began with another teacher."""
    if read(folder).get("teacher", fingerprint) != fingerprint:
        raise InputError(f"`resume`: {teacher} is not the teacher that the run began with; give that as `teacher`")


def resumed(given: Options, anew: tuple[str, ...], tell: bool = True) -> Options:
    """The options of the run in `given.out`. With `tell`, reports them, and each given option that differs.

    given: from the command line; an option that equals its default counts as not given. anew: the options that do not
    affect what is learnt: these are taken as given, all others from the run.
    """
    stored = read(given.out)["options"]  # type: ignore[attr-defined]
    defaults = plain(type(given)())  # type: ignore[operator]
    asked, said, chosen = plain(given), [], {}
    for name in asked:
        if name not in stored or name in ("out", "resume"):
            continue
        differs = asked[name] not in (defaults[name], stored[name])
        if differs:
            takes = "as given" if name in anew else f"as it began, and not {asked[name]}"
            value = asked[name] if name in anew else stored[name]
            said.append(f"resumes with --{name.replace('_', '-')} {value}, {takes}")
        if not (differs and name in anew):
            value = stored[name]
            chosen[name] = Path(value) if isinstance(getattr(given, name, None), Path) else value
    taken = renewed(given, chosen)
    if tell:
        own = {name: value for name, value in plain(taken).items() if value != defaults[name]}
        words = [f"--{name.replace('_', '-')} {own[name]}" for name in own.keys() - {"out", "resume"}]
        for sentence in (f"resumes {given.out}: {' '.join(sorted(words))}", *said):  # type: ignore[attr-defined]
            say(sentence)
    return taken


def commit(code: Path) -> str | None:
    """The checked-out commit of the repository that tracks the file `code`; with `+` if tracked files have changed.

    None if git is not installed, or if the repository around `code` does not track it: visavis may be installed inside
    another project, whose commits say nothing about this code.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # set in a git hook

    def git(*arguments: str) -> str | None:
        asked = ["git", "-C", str(code.parent), *arguments]
        done = subprocess.run(asked, capture_output=True, text=True, env=own)
        return None if done.returncode else done.stdout.strip()

    try:
        if git("ls-files", "--error-unmatch", code.name) is None:
            return None
        head, changed = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    except OSError:  # no git on this machine
        return None
    return None if head is None else head + ("+" if changed else "")
