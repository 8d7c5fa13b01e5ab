"""The file of settings of a call, joined with the call's own arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pgsluice.api.connections import PathLike
from pgsluice.config.find import NAME
from pgsluice.errors import CallError
from pgsluice.model import IgnoredFile

if TYPE_CHECKING:
    from pgsluice.config.read import Config


class Call(NamedTuple):
    """What a call and its file of settings say together."""

    paths: list[str]
    database_url: str | None
    arguments: dict[str, Any]
    config: str
    """The path of the file of settings; '' if there is none."""


def configured(
    config: PathLike | None,
    paths: Sequence[PathLike],
    database_url: str | None,
    data_dir: str | None,
    arguments: Mapping[str, Any],
) -> Call:
    """Reads the file of settings and joins it with a call, which overrides it.

    :param config: the file; None if there is none.
    :raises CallError: the file is not right, or neither it nor the call names a path.
    :raises FileError: the file cannot be read.
    """
    named = [os.fspath(path) for path in paths]
    if config is None:
        if not named:
            raise CallError(
                f"no path is given, and there is no {NAME} here",
                f"Name files or folders: pgsluice load data/, or write paths into {NAME}",
            )
        return Call(named, database_url, dict(arguments), "")
    from pgsluice.config.merge import merged
    from pgsluice.config.read import read_config

    file = read_config(os.fspath(config))
    named = named or paths_of(file)
    if not named:
        raise CallError(f"no path is given, and {file.path} has none", 'Write paths = ["data"] into its section [load]')
    return Call(named, database_of(file, database_url, data_dir), merged(file, arguments), file.path)


def paths_of(config: Config) -> list[str]:
    """The paths that a file of settings names."""
    from pgsluice.config.merge import placed

    return [placed(config, path) for path in config.section("load").get("paths", ())]


def database_of(config: Config, database_url: str | None, data_dir: str | None) -> str | None:
    """The database of a call: its own, else that of the environment, else that of the file of settings.

    :returns: None if the environment or the embedded server decides.
    :raises CallError: the file has a password in it.
    """
    address = config.section("load").get("database")
    if address is None or database_url is not None or data_dir is not None or os.environ.get("DATABASE_URL"):
        return database_url
    if "://" not in address or urlsplit(address).password is not None:
        raise CallError(
            f"{config.where('load', 'database')}: database is no address without a password",
            "Write postgresql://user@host:5432/name; libpq reads the password from PGPASSWORD or ~/.pgpass",
        )
    return str(address)


def without_settings(ignored: Sequence[IgnoredFile], config: str) -> tuple[IgnoredFile, ...]:
    """The files that were not loaded, without the file of settings that was read."""
    own = os.path.realpath(config) if config else ""
    return tuple(file for file in ignored if os.path.realpath(file.path) != own)
