"""What every command has in common: `main` parses its options, runs it, and turns errors into a message and a status.

Every command of the project is a dataclass of options and a function that takes it. Exit status: what the function
returns (0 done, 3 done but some items failed), 2 for wrong usage or input, 130 when interrupted.
"""

import errno
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar, get_args

import tyro

from visavis.commands import help_texts
from visavis.errors import InputError, StillBusy
from visavis.messages import harmless
from visavis.options import Range, hold

Options = TypeVar("Options")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, the user's quota is used up, the file would be larger than is allowed."""


def main(
    run: Callable[[Options], int | None],
    options: type[Options],
    prog: str | None = None,
    complete: Callable[[list[str]], list[str]] = list,
) -> NoReturn:
    """Parse the command line into `options`, check the ranges of its numbers, run, and exit with the right status.

    options: a dataclass, or a union of several, each with the name of its subcommand, which the first words say.
    prog: the name of the command in help and messages; by default, how Python was started. complete: is applied to the
    words that were typed before they are parsed.
    """
    prog = prog or _command_name()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # from here on it is handled below
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_what_is_closed()
    try:
        words = complete(sys.argv[1:])
        for name, chosen in _subcommands(options).items():
            if words[: len(name.split())] == name.split():  # it is parsed alone, so that all that is said has its name
                options, prog, words = chosen, f"{prog} {name}", words[len(name.split()) :]
                break
        with help_texts.registry():
            given = tyro.cli(options, prog=prog, args=words, config=(tyro.conf.OmitArgPrefixes,))
        hold(given)
        status = run(given)
        sys.stdout.flush()  # here, where a closed pipe is handled
    except InputError as error:
        fail(prog, _with_dashes(str(error), options))
    except StillBusy:
        os._exit(130)
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of stdout has gone (`| head`)
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        place = error.filename2 or error.filename
        where = f" {os.fsdecode(place)}" if isinstance(place, str | bytes) else ""
        if error.errno in _FULL:
            wrong, mended = f"cannot write{where}", "make room on the disk"
        elif where:  # a folder that went while we used it, a file that nobody may read
            wrong, mended = f"cannot use{where}", "correct that"
        else:
            raise
        fail(prog, f"{wrong} ({error.strerror}): {mended}, then run the command again or resume it")
    sys.exit(status or 0)


def _with_dashes(message: str, options: type[Options]) -> str:
    """Replace the names of parameters in a message of the library, as `max_pixels`, by those of options:
    --max-pixels."""
    names = {name for one in _dataclasses(options) for name in _names(one)}
    return re.sub(
        r"`(\w+)`", lambda found: f"--{found[1].replace('_', '-')}" if found[1] in names else found[0], message
    )


def _names(options: Any) -> list[str]:
    """The fields of a dataclass, those of dataclasses in it included."""
    return [
        name for field in fields(options) for name in (_names(field.type) if is_dataclass(field.type) else [field.name])
    ]


def _subcommands(options: Any) -> dict[str, Any]:
    """The dataclasses of a union by the names of their subcommands; none for a single dataclass."""
    return {named.name: one for one, named in map(get_args, get_args(options))}


def _dataclasses(options: Any) -> list[Any]:
    """`options`, or the dataclasses of the union that it is."""
    return [options] if is_dataclass(options) else [one for part in get_args(options) for one in _dataclasses(part)]


def fail(prog: str, message: str) -> NoReturn:
    """Print `message` on stderr as one line, even if a library put line breaks into it, and exit with status 2."""
    print(harmless(f"{prog}: {' '.join(message.split())}"), file=sys.stderr)
    sys.exit(2)


def seconds(text: str) -> float:
    """A duration: `30`, `30s`, `1.5m`, `2h` in seconds. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a duration; write 30, 30s, 5m or 2h")
    return float(found[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[found[2]]


def _read_as(metavar: str, read: Callable[[str], Any], write: Callable[[Any], str], *kinds: type) -> Any:
    """How tyro reads one word: by `read`, which raises ValueError; values are of these `kinds`, written by `write`."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: isinstance(value, kinds),
        str_from_instance=lambda value: [write(value)],
    )


Seconds = Annotated[float, _read_as("DURATION", seconds, lambda value: f"{value:g}s", int, float), Range(0)]

Duration = Annotated[Seconds, Range(0, without=(0,))]
"""More than 0 seconds."""


def _listed(text: str) -> str:
    """Names with commas between them, as they were typed. Raises ValueError where one is empty."""
    if not all(name.strip() for name in text.split(",")):
        raise ValueError(f"{text!r} has an empty name; give names with commas between them, or leave the option out")
    return text


Names = Annotated[str, _read_as("NAMES", _listed, str, str)]
"""Names with commas between them; an empty text, as from a variable of the shell that is not set, is refused."""

Device = Annotated[str, tyro.conf.arg(help="auto (a CUDA GPU if there is one), cpu, cuda, cuda:1, mps.")]
DataFolder = Annotated[
    Path, tyro.conf.arg(help="Data folder, as made by download and clean, or by `python -m dataset import`.")
]


def _open_what_is_closed() -> None:
    """Open the standard streams that were closed by whoever started us (`2>&-`). Otherwise the next file to be opened
    would get the number of the stream, to which C libraries write their messages."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest free one: `number`, if that is closed
            setattr(sys, name, open(descriptor, mode, closefd=descriptor != number))  # noqa: SIM115 it stays open for the whole run


def _command_name() -> str:
    main_module: Any = sys.modules["__main__"]
    module = getattr(main_module.__spec__, "name", None)
    return f"python -m {module.removesuffix('.__main__')}" if module else f"python {sys.argv[0]}"
