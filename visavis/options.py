"""What options of commands are made of: types with ranges or choices, and dataclasses that may contain each other.

A range of numbers is part of a type: `size: Annotated[int | None, Range(1)] = None`. Options made in Python are plain
values; `visavis.commands.commandline.main` calls `hold` to check those that were typed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from visavis.errors import InputError

Options = TypeVar("Options")


@dataclass(frozen=True)
class Range:
    """Finite numbers from `least` to `most`, inclusive, except those in `without`. None and texts are not checked."""

    least: float = -math.inf
    most: float = math.inf
    without: tuple[float, ...] = ()

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and math.isfinite(value) and value not in self.without

    def __str__(self) -> str:
        if self.least == -math.inf:
            return "a finite number"
        least = f"{'more than' if self.least in self.without else 'at least'} {_text(self.least)}"
        if self.most == math.inf:
            return least
        return f"{least} and {'less than' if self.most in self.without else 'at most'} {_text(self.most)}"


Count = Annotated[int, Range(1)]
AutoCount = Annotated[int | Literal["auto"], Range(1)]
Share = Annotated[float, Range(0, 1)]
Amount = Annotated[float, Range(0)]
Number = Annotated[float, Range()]
Seed = Annotated[int, Range(0)]
Port = Annotated[int, Range(0, 65535)]

Backend = Literal["auto", "torch", "onnxruntime", "openvino"]
Precision = Literal["fp32", "bf16", "fp16"]
"""Of a network in use."""
TrainingPrecision = Literal["auto", Precision]


def hold(options: Any) -> None:
    """Raise InputError for the first number that is outside the range of its type, in `options` or a dataclass in
    them."""
    hints = get_type_hints(type(options), include_extras=True)
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            hold(value)
        numbers = [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, int | float)]
        for allowed in _ranges(hints[field.name]) if numbers else ():
            for number in numbers:
                if number not in allowed:
                    finite = "a finite number, " if not math.isfinite(number) and allowed.least > -math.inf else ""
                    raise InputError(f"`{field.name}` must be {finite}{allowed}, not {_text(number)}")


def plain(options: Any) -> dict[str, Any]:
    """The options as JSON values by name, those of the dataclasses in them included; paths are text."""
    values: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        values |= (
            plain(value) if is_dataclass(value) else {field.name: str(value) if isinstance(value, Path) else value}
        )
    return values


def renewed(options: Options, values: dict[str, Any]) -> Options:
    """A copy of the options with other values, by the names that `plain` gives."""
    return replace(  # type: ignore[bad-specialization]
        options,
        **{
            field.name: renewed(old, values) if is_dataclass(old) else values.get(field.name, old)
            for field in fields(options)  # type: ignore[arg-type]
            for old in [getattr(options, field.name)]
        },
    )


def _ranges(hint: Any) -> Iterator[Range]:
    """The ranges of a type and of its parts."""
    for part in get_args(hint):
        if isinstance(part, Range):
            yield part
        elif get_args(part):
            yield from _ranges(part)


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
