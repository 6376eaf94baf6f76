"""What the help of commands looks like where tyro's own look is not for people.

tyro takes what it says of an option from the docstring below it, and breaks lines where the source does. An option
that may be left out, `Path | None`, it shows as `{None}|PATH (default: None)`, and one whose default is empty with
`(default: )`.
"""

from collections.abc import Callable
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

Help = str | Callable[[], str | None] | None


def registry() -> ConstructorRegistry:
    """Rules for `with registry(): tyro.cli(...)`, which change what is shown, and refuse paths that are empty."""
    rules = ConstructorRegistry()
    asked: list[Any] = []

    @rules.struct_rule
    def flowing(info: StructTypeInfo) -> StructConstructorSpec | None:
        """Options with whole lines, and with the defaults that say something."""
        if asked:
            return None  # below, we ask for what tyro itself makes of the type
        asked.append(info.type)
        try:
            made: Any = ConstructorRegistry.get_struct_spec(info)
        finally:
            asked.pop()
        if not isinstance(made, StructConstructorSpec):
            return made
        return replace(made, fields=tuple(_for_people(one) for one in made.fields))

    @rules.primitive_rule
    def left_out(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        """An option that may be left out is shown as what it is where it is given."""
        kinds = [one for one in get_args(info.type) if one is not NoneType]
        if get_origin(info.type) not in (Union, UnionType) or NoneType not in get_args(info.type) or len(kinds) != 1:
            return None
        made = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], set(info.markers)))
        if not isinstance(made, PrimitiveConstructorSpec):
            return None
        return replace(
            made,
            is_instance=lambda value: value is None or made.is_instance(value),
            str_from_instance=lambda value: ["None"] if value is None else made.str_from_instance(value),
        )

    @rules.primitive_rule
    def path(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
        """A path that is empty, as from a variable of the shell that is not set, would be the current folder."""
        if info.type is not Path:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="PATH",
            instance_from_str=lambda words: _path(words[0]),
            is_instance=lambda value: isinstance(value, Path),
            str_from_instance=lambda value: [str(value)],
        )

    return rules


def _path(text: str) -> Path:
    if not text:
        raise ValueError("the path is empty; give one, or a point for the current folder")
    return Path(text)


def _for_people(field: StructFieldSpec) -> StructFieldSpec:
    field = replace(field, helptext=_flowing(field.helptext))
    if is_dataclass(field.default):
        return field
    kind: Any = Annotated[field.type, tyro.conf.arg(help_behavior_hint=_default)]
    return replace(field, type=kind)


def _default(value: str) -> str:
    """What help says of a default, which is the text of a value."""
    return "" if value in ("None", "", "''") else f"(default: {value})"


def _flowing(text: Help) -> Help:
    """The text, or what gives it, without the line breaks of the source."""
    if callable(text):
        return lambda: _flowing(text())  # type: ignore[bad-return]
    return None if text is None else " ".join(text.split())
