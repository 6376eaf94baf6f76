"""A command run in this process as if it had been typed: its status, stdout and stderr, without the seconds that a
second Python and a second torch take to start. What is about processes (kills, signals, imports) starts real ones.
"""

import io
import runpy
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


def typed(*words: str | Path) -> Done:
    """Run `python WORDS` from the repository root: `-m clean --data x`, or `predict.py x`."""
    first, *rest = map(str, words)
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors), mock.patch.object(sys, "argv"):
        try:
            if first == "-m":
                sys.argv = rest
                runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
            else:
                sys.argv = [first, *rest]
                runpy.run_path(str(ROOT / first), run_name="__main__")
        except SystemExit as end:
            return Done(_status(end.code, errors), out.getvalue(), errors.getvalue())
    raise AssertionError("a command ends with sys.exit")


def started(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start `python WORDS` from the repository root in a process of its own; its stderr is a pipe.

    Ctrl-C stops it even where these tests run in the background: a shell has such processes ignore it, and what
    they start ignores it too.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what is handled here is not ignored there
    try:
        return subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)
    finally:
        signal.signal(signal.SIGINT, before)


def _status(code: object, errors: io.StringIO) -> int:
    """The exit status that Python makes of what sys.exit was given."""
    if isinstance(code, int | None):
        return code or 0
    print(code, file=errors)
    return 1
