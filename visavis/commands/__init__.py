"""The commands of visavis, one file each, with the options and the function of the command.

`visavis NAME` and `python -m visavis NAME` run them, and so do the scripts in the root of the repository.
"""

import os
import signal
from importlib import import_module
from typing import NoReturn

COMMANDS: dict[str, tuple[str, str]] = {
    "predict": ("visavis.commands.predict:predict", "find the faces in photos and videos"),
    "serve": ("visavis.commands.serve:serve", "a page in the browser that finds faces live"),
    "people": ("visavis.commands.people:people", "group the faces of an album by person"),
    "evaluate": ("visavis.commands.evaluate:evaluate", "score detectors on labelled photos"),
    "export": ("visavis.commands.export:export", "write a detector as an ONNX file"),
    "cascade": ("visavis.commands.cascade:cascade", "learn a cascade of Viola and Jones"),
    "slim": ("visavis.commands.slim:slim", "make a smaller network from a trained one"),
}
"""Name -> `module:function`, and a line for the list of commands. The module has a class `Options`, and may have a
function `arguments`, which completes the words that were typed."""


def launch(name: str, prog: str | None = None) -> NoReturn:
    """Run one of `COMMANDS` with the arguments of this process, and exit with its status.

    prog: the name of the command in help and messages; by default, how Python was started.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # for Ctrl-C during the imports; later `main` handles it
    module, function = COMMANDS[name][0].split(":")
    command = import_module(module)
    from visavis.commands.commandline import main

    main(getattr(command, function), command.Options, prog, getattr(command, "arguments", list))
