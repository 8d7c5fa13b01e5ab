"""pgsluice: CSV files into a PostgreSQL schema, every row accounted for, all tables or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgsluice.api import load, plan, reject_rows, rejects, replay, resume, runs, verify

__all__ = ["load", "plan", "reject_rows", "rejects", "replay", "resume", "runs", "verify"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loading needs psycopg and friends; `pgsluice --help` and `import pgsluice` do not wait for them.
    if name in __all__:
        from pgsluice import api

        globals().update({public: getattr(api, public) for public in __all__})
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
