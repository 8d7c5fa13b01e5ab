"""Text of the settings in force."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.model import Setting
from pgsluice.report.parts import Grid, Line, Part, clean


def config_parts(path: str | None, settings: Sequence[Setting]) -> list[Part]:
    """The settings in force with their sources.

    :param path: the file of settings; None if there is none.
    """
    head = f"Settings of {clean(path)} and of this call:" if path else "Settings of this call, without pgsluice.toml:"
    rows = tuple((clean(s.key), _value(s.value), _source(s)) for s in settings)
    return [Line(head, "bold"), Line(), Grid(("setting", "value", "from"), rows, wrap=True)]


def _value(value: object) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(v) for v in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return clean(value) if value.strip() else repr(value)
    return str(value)


def _source(setting: Setting) -> str:
    where = f"{clean(setting.source)}:{setting.line}" if setting.line else clean(setting.source)
    return f"{where}; overridden by {setting.overridden_by}" if setting.overridden_by else where
