"""pgsluice loads CSV files into a constrained PostgreSQL schema: every row accounted for, all tables or none.

The functions of :mod:`pgsluice.api` are also in this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgsluice.version import __version__ as __version__

if TYPE_CHECKING:
    from pgsluice.api import (
        check_rules,
        derive,
        doctor,
        load,
        plan,
        purge_rejects,
        reject_rows,
        rejects,
        replay,
        resume,
        rules,
        run_report,
        runs,
        verify,
    )

__all__ = [
    "check_rules",
    "derive",
    "doctor",
    "load",
    "plan",
    "purge_rejects",
    "reject_rows",
    "rejects",
    "replay",
    "resume",
    "rules",
    "run_report",
    "runs",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Imports the API when one of its names is first used (PEP 562)."""
    # The API imports psycopg, DuckDB and Arrow. `pgsluice --help` and `import pgsluice` do not wait for that import.
    if name in __all__:
        from pgsluice import api

        globals().update({public: getattr(api, public) for public in __all__})
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
