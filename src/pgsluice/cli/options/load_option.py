"""Options that ``load`` and ``plan`` share: each stands once, with the argument of the Python API that it becomes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., None])

LIST, TEXT, FLAG = list[str] | None, str | None, bool
"""The types of most options."""


def unchanged(value: Any) -> Any:
    """Returns the value: how most options become an argument."""
    return value


@dataclass(frozen=True, slots=True)
class LoadOption:
    """An option of a command, and the argument of :class:`pgsluice.arguments.LoadArguments` that it becomes."""

    argument: str
    """The name of the argument."""
    kind: Any
    """The type of the option's value."""
    info: Any
    """What ``typer.Option()`` returns: names, metavar, panel and help."""
    default: Any = None
    convert: Callable[[Any], Any] = unchanged
    """Makes the argument of the value. The argument is left out if the value is the default."""


def with_options(*options: LoadOption) -> Callable[[Command], Command]:
    """A decorator: the command takes these options. It receives them by their arguments' names, as keywords."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        first = [p for p in own if p.default is p.empty]
        added = [
            inspect.Parameter(
                o.argument, inspect.Parameter.KEYWORD_ONLY, default=o.default, annotation=Annotated[o.kind, o.info]
            )
            for o in options
        ]
        rest = [p.replace(kind=p.KEYWORD_ONLY) for p in own[len(first) :]]
        # Typer reads the signature and the annotations of a command. The help lists the options in this order.
        command.__signature__ = signature.replace(parameters=[*first, *added, *rest])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*first, *added, *rest)} | {"return": None}
        return command

    return decorate


def arguments_of(ctx: typer.Context, options: Iterable[LoadOption], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for the Python API: the options that the user gave, also those that say the default.

    :param values: the values of the options, by the names of their arguments.
    :raises CallError: a value is wrong.
    """
    return {o.argument: o.convert(values[o.argument]) for o in options if is_given(ctx, o.argument)}


def is_given(ctx: typer.Context, parameter: str) -> bool:
    """Whether the user gave an option of the command."""
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def option(names: str, metavar: str | None, text: str, *, panel: str) -> Any:
    """``typer.Option()`` with a panel: the heading under which the help lists the option."""
    return typer.Option(names, metavar=metavar, help=text, rich_help_panel=panel)
