"""The analysers, one file each, and how to get one by its name. docs/architecture.md adds one."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from visavis import checkpoint, kinds
from visavis.analysers.options import AnalyserOptions
from visavis.analysers.protocol import Analyser
from visavis.errors import InputError

__all__ = ["ANALYSERS", "Analyser", "AnalyserOptions", "check", "load_analyser", "load_with", "named", "options_of"]

ANALYSERS: dict[str, str] = {
    "mask": "visavis.analysers.attributes.analyser:mask",
    "age": "visavis.analysers.attributes.analyser:age",
    "gender": "visavis.analysers.attributes.analyser:gender",
    "points": "visavis.analysers.points.analyser:points",
    "dlib_points": "visavis.analysers.dlib_points:DlibPoints",
    "sharpness": "visavis.analysers.sharpness:Sharpness",
    "identity": "visavis.analysers.identity.analyser:Identity",
}
"""Name -> `module:function` (or class), which makes an Analyser. Its parameters are options of `AnalyserOptions`."""


def named(text: str) -> list[str]:
    """The names in a text that has commas between them. Raises InputError for one that is empty."""
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    if "" in names:
        raise InputError(f"`analyse` {text!r}: there is nothing between two commas, or at an end; remove that comma")
    return names


def load_analyser(name: str | Path, **options: Any) -> Analyser:
    """An analyser of `ANALYSERS`, by its name, or the path of a checkpoint that train.py wrote, which says all that it
    can.

    options: those of `AnalyserOptions` that it takes, such as `people` of `identity`. Raises InputError where there is
    none of that name, its package or weights are not installed, or it takes other options.
    """
    name = str(name)
    takes = _parameters(name)
    for option in options.keys() - takes.keys():
        raise InputError(f"{name} takes no `{option}`; leave that out")
    for option, parameter in takes.items():
        if parameter.default is Parameter.empty and options.get(option) is None:
            raise InputError(f"{name} needs `{option}` (docs/{name}.md)")
    if name.endswith(".safetensors"):
        path = Path(name)
        kind = kinds.of(checkpoint.metadata(path), path)
        if not hasattr(kind, "analyser"):
            raise InputError(f"{path} is a detector; give it as one, not as an analyser")
        return kind.analyser(path)
    return _function(name)(**options)


def load_with(name: str, options: AnalyserOptions) -> Analyser:
    """`load_analyser` with those of the options that it takes."""
    return load_analyser(name, **options_of(name, options))


def options_of(name: str, options: AnalyserOptions) -> dict[str, Any]:
    """Those of the options that were given and that this analyser takes. Raises InputError where there is none of that
    name."""
    return {option: value for option, value in _given(options).items() if option in _parameters(name)}


def check(names: Sequence[str], options: AnalyserOptions) -> None:
    """Raise InputError for an option that none of these analysers takes."""
    taken = {option for name in names for option in options_of(name, options)}
    for option in _given(options).keys() - taken:
        those = [name for name in ANALYSERS if option in _parameters(name)]
        raise InputError(f"`{option}` is for {' and '.join(those)}; name that in `analyse`, or leave `{option}` out")


def _given(options: AnalyserOptions) -> dict[str, Any]:
    return {option: value for option, value in vars(options).items() if value is not None}


def _parameters(name: str) -> Mapping[str, Parameter]:
    """Those of the function that makes an analyser. Raises InputError where there is none of that name."""
    return {} if name.endswith(".safetensors") else signature(_function(name)).parameters


def _function(name: str) -> Callable[..., Analyser]:
    if name not in ANALYSERS:
        raise InputError(f"no analyser {name!r}; there are {', '.join(ANALYSERS)}, or give a file of weights")
    module, function = ANALYSERS[name].split(":")
    return getattr(import_module(module), function)
