"""What a user must learn of an embedded server: that it was made, that it goes on running, what root has changed.

The notices are records of a logger. The command line shows them on standard error. Of a program that has set up no
logging, Python writes those from WARNING on to standard error.
"""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path

LOGGER = "pgsluice.embedded"
"""The name of the logger."""

_DEFAULT = ".pgsluice"

_log = logging.getLogger(LOGGER)


def shown_folder(base: Path) -> str:
    """Returns the folder of a server as a user in the current folder would write it."""
    here = Path.cwd()
    return os.fspath(base.relative_to(here)) if base.is_relative_to(here) and base != here else os.fspath(base)


def data_dir_option(base: Path) -> str:
    """Returns the option that names the folder of a server, with a blank before it; '' for the default folder."""
    name = shown_folder(base)
    return "" if name == _DEFAULT else f" --data-dir {shlex.quote(name)}"


def tell_made(base: Path, version: int) -> None:
    """Tells that a server is made in a folder."""
    _log.warning(
        "Making an embedded PostgreSQL %d in %s. It keeps running; to stop it: pgsluice server stop%s",
        *(version, shown_folder(base), data_dir_option(base)),
    )


def tell_started(base: Path, version: int) -> None:
    """Tells that a server is started which existed."""
    _log.info(
        "Starting the embedded PostgreSQL %d in %s. It keeps running; to stop it: pgsluice server stop%s",
        *(version, shown_folder(base), data_dir_option(base)),
    )


def tell_changed_by_root(change: str) -> None:
    """Tells what root changes on the machine, because PostgreSQL does not run as root.

    :param change: what is changed, in words.
    """
    _log.warning("PostgreSQL does not run as root: %s", change)
