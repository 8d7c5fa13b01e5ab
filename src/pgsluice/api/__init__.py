"""The public functions, and the session that has them as methods. Their names are also in :mod:`pgsluice` itself.

Each function opens its own connections and closes them. Parameters that several functions share have the same meaning
everywhere; :func:`load` describes them most completely.

A function is imported when its name is first used (PEP 562): a load does not wait for the imports of
:func:`infer_schema`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgsluice.api.checking import doctor as doctor
    from pgsluice.api.inferring import infer_schema as infer_schema
    from pgsluice.api.inferring import schema_diff as schema_diff
    from pgsluice.api.inspecting import purge_rejects as purge_rejects
    from pgsluice.api.inspecting import reject_rows as reject_rows
    from pgsluice.api.inspecting import reject_sheets as reject_sheets
    from pgsluice.api.inspecting import rejects as rejects
    from pgsluice.api.inspecting import run_report as run_report
    from pgsluice.api.inspecting import runs as runs
    from pgsluice.api.inspecting import verify as verify
    from pgsluice.api.loading import load as load
    from pgsluice.api.loading import plan as plan
    from pgsluice.api.loading import replay as replay
    from pgsluice.api.loading import resume as resume
    from pgsluice.api.quality import check_rules as check_rules
    from pgsluice.api.quality import derive as derive
    from pgsluice.api.quality import rules as rules
    from pgsluice.api.resetting import reset as reset
    from pgsluice.api.session import Session as Session

_MODULES = {
    "checking": ("doctor",),
    "inferring": ("infer_schema", "schema_diff"),
    "inspecting": ("purge_rejects", "reject_rows", "reject_sheets", "rejects", "run_report", "runs", "verify"),
    "loading": ("load", "plan", "replay", "resume"),
    "quality": ("check_rules", "derive", "rules"),
    "resetting": ("reset",),
    "session": ("Session",),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found


def __dir__() -> list[str]:
    """The public names."""
    return list(_PLACES)
