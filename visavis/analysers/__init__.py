"""What faces tell: the analysers, one file each, and how to get one by its name.

To add one is to add a file that has a function which makes an `Analyser`, and a line in `ANALYSERS`. What it says of
each face is then in every table, format, caption and page by itself.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from visavis import checkpoint, kinds
from visavis.analysers.protocol import Analyser
from visavis.errors import InputError

__all__ = ["ANALYSERS", "Analyser", "load_analyser", "named"]

ANALYSERS: dict[str, str] = {
    "mask": "visavis.analysers.attributes.analyser:mask",
    "age": "visavis.analysers.attributes.analyser:age",
    "gender": "visavis.analysers.attributes.analyser:gender",
    "points": "visavis.analysers.points.analyser:points",
    "dlib_points": "visavis.analysers.dlib_points:DlibPoints",
    "sharpness": "visavis.analysers.sharpness:Sharpness",
}
"""Name -> `module:function`, which makes an Analyser."""


def named(text: str) -> list[str]:
    """The names in a text that has commas between them. Raises InputError for one that is empty."""
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if "" in names:
        raise InputError(f"`analyse` {text!r}: there is nothing between two commas, or at an end; remove that comma")
    return names


def load_analyser(name: str) -> Analyser:
    """An analyser of `ANALYSERS`, by its name, or the path of a checkpoint that train.py wrote, which says all that it
    can. Raises InputError where there is none of that name, or its package or weights are not installed.
    """
    if name.endswith(".safetensors"):
        path = Path(name)
        return kinds.of(checkpoint.metadata(path), path).analyser(path)
    if name not in ANALYSERS:
        raise InputError(f"no analyser {name!r}; there are {', '.join(ANALYSERS)}, or give a file of weights")
    module, function = ANALYSERS[name].split(":")
    make: Callable[[], Analyser] = getattr(import_module(module), function)
    return make()
