"""The edge between a command and the person who typed it: options in, one clear line and a status out.

Every command of the project is a dataclass of options and a function that takes it; `main` makes a
command line of the two. Exit status: what the function returns (0 done, 3 done but some items
failed), 2 for wrong usage or input, 130 when interrupted.
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

from visavis.errors import InputError, StillBusy
from visavis.options import Range, hold

Options = TypeVar("Options")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the disk, none left of the user's share, and the largest file that is allowed."""


def main(
    run: Callable[[Options], int | None],
    options: type[Options],
    prog: str | None = None,
    complete: Callable[[list[str]], list[str]] = list,
) -> NoReturn:
    """Parse the command line into `options`, hold its numbers to their ranges, run, and exit with the status that fits.

    prog: what the command is called in help and messages; by default as Python was started. complete: what is made of
    the words that were typed.
    """
    prog = prog or _command_name()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # from here on it can be told
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_what_is_closed()
    try:
        given = tyro.cli(options, prog=prog, args=complete(sys.argv[1:]), config=(tyro.conf.OmitArgPrefixes,))
        hold(given)
        status = run(given)
        sys.stdout.flush()  # here, where a reader that left is dealt with
    except InputError as error:
        fail(prog, _with_dashes(str(error), options))
    except StillBusy:
        os._exit(130)
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our stdout left (`| head`): nothing more to say to it
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = f" of {error.filename}" if error.filename else ""
        fail(prog, f"the disk{where} takes no more ({error.strerror}): make room, then run it again or go on")
    sys.exit(status or 0)


def _with_dashes(message: str, options: type[Options]) -> str:
    """The library names parameters, as `max_pixels`; on a command line the same are --max-pixels."""
    names = {name for one in _dataclasses(options) for name in _names(one)}
    return re.sub(
        r"`(\w+)`", lambda found: f"--{found[1].replace('_', '-')}" if found[1] in names else found[0], message
    )


def _names(options: Any) -> list[str]:
    """The fields of a dataclass, those of the dataclasses in it among them."""
    return [
        name for field in fields(options) for name in (_names(field.type) if is_dataclass(field.type) else [field.name])
    ]


def _dataclasses(options: Any) -> list[Any]:
    """`options`, or those that it is a choice between."""
    return [options] if is_dataclass(options) else [one for part in get_args(options) for one in _dataclasses(part)]


def fail(prog: str, message: str) -> NoReturn:
    """Print one line on stderr, whatever line breaks a library's words in `message` have, and exit with status 2."""
    print(f"{prog}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


def seconds(text: str) -> float:
    """A duration: `30`, `30s`, `1.5m`, `2h` in seconds. Raises ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no duration; write 30, 30s, 5m or 2h")
    return float(found[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[found[2]]


Seconds = Annotated[
    float,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="DURATION",
        instance_from_str=lambda arguments: seconds(arguments[0]),
        is_instance=lambda value: isinstance(value, int | float),
        str_from_instance=lambda value: [f"{value:g}s"],
    ),
]


Duration = Annotated[Seconds, Range(0, without=(0,))]
"""More than no seconds."""
Device = Annotated[str, tyro.conf.arg(help="auto (a CUDA GPU where there is one), cpu, cuda, cuda:1, mps.")]
DataFolder = Annotated[
    Path, tyro.conf.arg(help="Data folder, as download and clean (or `python -m dataset import`) make it.")
]


def _open_what_is_closed() -> None:
    """Whoever started us may have closed a standard stream (`2>&-`). Python would print what is for stderr on stdout
    then, and the next file to be opened would take the number that C libraries write their messages to."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free, which is `number` if nobody has it
            setattr(sys, name, open(descriptor, mode, closefd=descriptor != number))  # noqa: SIM115 for the whole run


def _command_name() -> str:
    main_module: Any = sys.modules["__main__"]
    module = getattr(main_module.__spec__, "name", None)
    return f"python -m {module.removesuffix('.__main__')}" if module else f"python {sys.argv[0]}"
