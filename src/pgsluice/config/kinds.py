"""The kinds of values in ``pgsluice.toml``, as type hints: which value fits, and how the kind is called."""

from __future__ import annotations

import os
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin


def parts_of(kind: Any) -> tuple[Any, ...]:
    """The kinds of which a value may have one. None and paths as objects exist in Python alone."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(p for p in get_args(kind) if p is not types.NoneType and get_origin(p) is not os.PathLike)
    return (kind,)


def element_of(kind: Any) -> Any:
    """The kind of the elements of a list; None if the kind is no list."""
    return get_args(kind)[0] if get_origin(kind) is Sequence else None


def choices_of(kind: Any) -> tuple[str, ...]:
    """The texts that a kind allows; () if the kind is no choice."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def fits(value: object, kind: Any) -> bool:
    """Whether a value of a TOML file has this kind. A whole number is a number; a truth value is none."""
    for part in parts_of(kind):
        if (element := element_of(part)) is not None:
            if isinstance(value, list) and all(fits(v, element) for v in value):
                return True
        elif choices := choices_of(part):
            if value in choices:
                return True
        elif isinstance(value, bool):
            if part is bool:
                return True
        elif isinstance(value, (int, float) if part is float else part):
            return True
    return False


def words_for(kind: Any) -> str:
    """The kind in words."""
    words = []
    for part in parts_of(kind):
        if (element := element_of(part)) is not None:
            words.append(f"a list of {words_for(element).removeprefix('a ')}s")
        elif choices := choices_of(part):
            words.append(", ".join(choices))
        else:
            words.append({str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[part])
    return " or ".join(words)
