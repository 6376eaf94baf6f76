"""The commands of visavis, one file each: its options and what it does.

`visavis NAME` and `python -m visavis NAME` run them, and so do the scripts in the repository's root.
"""

import os
import signal
from importlib import import_module
from typing import NoReturn

COMMANDS: dict[str, tuple[str, str]] = {
    "predict": ("visavis.commands.predict:predict", "find the faces in photos and videos"),
    "serve": ("visavis.commands.serve:serve", "a page in the browser that finds faces live"),
    "evaluate": ("visavis.commands.evaluate:evaluate", "score detectors on labelled photos"),
    "export": ("visavis.commands.export:export", "write a detector as an ONNX file"),
    "slim": ("visavis.commands.slim:slim", "make a smaller network of a trained one"),
}
"""Name -> `module:function`, whose module has the class `Options`, and perhaps `arguments`, which completes
what was typed; and one line for the list of commands."""


def launch(name: str, prog: str | None = None) -> NoReturn:
    """Run one of `COMMANDS` with the arguments of this process, and exit with its status.

    prog: what the command is called in help and messages; by default as Python was started.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C while the imports load; then `main` hears it
    module, function = COMMANDS[name][0].split(":")
    command = import_module(module)
    from visavis.commands.commandline import main

    main(getattr(command, function), command.Options, prog, getattr(command, "arguments", list))
