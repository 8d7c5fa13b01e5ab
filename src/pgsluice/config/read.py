"""Read a file of settings and check it against its description."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pgsluice.config.description import ROOT, Section
from pgsluice.config.kinds import fits, words_for
from pgsluice.config.lines import line_of
from pgsluice.errors import CallError, FileError

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Config:
    """A file of settings that has been checked."""

    path: str
    values: Mapping[str, Any]
    """What the file says, as ``tomllib`` returns it."""
    text: str = field(default="", repr=False)

    def where(self, *names: str) -> str:
        """The place of a key or a section: ``pgsluice.toml:12``."""
        line = line_of(self.text, names)
        return f"{self.path}:{line}" if line else self.path

    def section(self, *names: str) -> dict[str, Any]:
        """What a section says; empty if it is not there."""
        inner: Any = self.values
        for name in names:
            inner = inner.get(name, {})
        return dict(inner)


def read_config(path: str) -> Config:
    """Reads a file of settings.

    :raises FileError: the file cannot be read.
    :raises CallError: the file is not TOML, or a key does not exist or has a value of another kind. All such keys are
        named.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}", "Check the path of the file of settings") from error
    except UnicodeDecodeError as error:
        raise CallError(f"{path} is not UTF-8", "A TOML file is always UTF-8") from error
    if len(data) > _MOST_BYTES:
        raise CallError(f"{path} is larger than 1 MiB", "Check that it is a file of settings")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CallError(f"{path} is not TOML: {error}", "See https://toml.io") from error
    config = Config(path, values, text)
    problems = list(_problems(config, values, ROOT, ()))
    if len(problems) == 1:
        raise CallError(*problems[0])
    if problems:
        details = [f"{message}. {remedy}" for message, remedy in problems]
        raise CallError(f"{path} has {len(problems)} settings that are not right", details=details)
    return config


def _problems(
    config: Config, values: Mapping[str, Any], section: Section, path: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """What is wrong in a section: message and remedy."""
    for name, value in values.items():
        here = (*path, name)
        if (key := section.key(name)) is not None:
            if not fits(value, key.kind):
                yield (
                    f"{config.where(*here)}: {_dotted(here)} = {value!r} is not {words_for(key.kind)}",
                    f"Give {words_for(key.kind)}",
                )
        elif (inner := section.section(name)) is not None:
            yield from _section_problems(config, value, inner, here)
        else:
            known = [k.name for k in section.keys] + [s.name for s in section.sections]
            near = get_close_matches(name, known, 1)
            yield (
                f"{config.where(*here)}: there is no setting {_dotted(here)}",
                f"Did you mean {near[0]}?" if near else f"Settings here are {', '.join(known)}",
            )


def _section_problems(
    config: Config, value: object, section: Section, here: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield f"{config.where(*here)}: {_dotted(here)} is a section", f"Write it as {section.header}"
    elif not section.named:
        yield from _problems(config, value, section, here)
    else:
        for name, inner in value.items():
            if isinstance(inner, dict):
                yield from _problems(config, inner, section, (*here, name))
            else:
                yield (
                    f"{config.where(*here, name)}: {_dotted((*here, name))} = {inner!r} is not a section",
                    f"Write it as {section.header}",
                )


def _dotted(path: Sequence[str]) -> str:
    """The path of a key as TOML writes it."""
    return ".".join(name if name.replace("-", "_").isidentifier() else f'"{name}"' for name in path)
