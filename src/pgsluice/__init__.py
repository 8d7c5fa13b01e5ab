"""pgsluice loads CSV files into a constrained PostgreSQL schema: every row accounted for, all tables or none.

The functions of :mod:`pgsluice.api` and the errors of :mod:`pgsluice.errors` are also in this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgsluice.errors import AccountingError as AccountingError
from pgsluice.errors import CallError as CallError
from pgsluice.errors import ConnectError as ConnectError
from pgsluice.errors import DatabaseError as DatabaseError
from pgsluice.errors import FileError as FileError
from pgsluice.errors import LockedError as LockedError
from pgsluice.errors import MappingError as MappingError
from pgsluice.errors import NoServerError as NoServerError
from pgsluice.errors import PrivilegeError as PrivilegeError
from pgsluice.errors import SchemaFileError as SchemaFileError
from pgsluice.errors import ServerError as ServerError
from pgsluice.errors import SluiceError as SluiceError
from pgsluice.version import __version__ as __version__

if TYPE_CHECKING:
    from pgsluice.api import (
        Session,
        check_rules,
        derive,
        doctor,
        infer_schema,
        load,
        plan,
        purge_rejects,
        reject_rows,
        reject_sheets,
        rejects,
        replay,
        reset,
        resume,
        rules,
        run_report,
        runs,
        schema_diff,
        verify,
    )

__all__ = [
    "AccountingError",
    "CallError",
    "ConnectError",
    "DatabaseError",
    "FileError",
    "LockedError",
    "MappingError",
    "NoServerError",
    "PrivilegeError",
    "SchemaFileError",
    "ServerError",
    "Session",
    "SluiceError",
    "check_rules",
    "derive",
    "doctor",
    "infer_schema",
    "load",
    "plan",
    "purge_rejects",
    "reject_rows",
    "reject_sheets",
    "rejects",
    "replay",
    "reset",
    "resume",
    "rules",
    "run_report",
    "runs",
    "schema_diff",
    "verify",
]

_API = frozenset(__all__).difference(globals())
"""The names that are imported when one of them is first used."""


def __getattr__(name: str) -> Any:
    """Imports a function of the API when its name is first used (PEP 562)."""
    # The API imports psycopg and numpy. `pgsluice --help` and `import pgsluice` do not wait for these imports.
    if name in _API:
        from pgsluice import api

        found = globals()[name] = getattr(api, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for ``dir()`` and for the completion of editors and notebooks."""
    return [*__all__, "__version__"]
