"""The report of ``pgsluice doctor``."""

from __future__ import annotations

from pgsluice.model import DoctorResult, State
from pgsluice.report.parts import Line, Part, clean
from pgsluice.text import pluralize

_STYLES = {State.OK: "green", State.SLOW: "yellow", State.RISK: "yellow", State.PROBLEM: "bold red"}


def doctor_parts(result: DoctorResult) -> list[Part]:
    """The findings, one line each with the remedy below, and what they mean together."""
    parts: list[Part] = []
    for finding in result.findings:
        parts.append(
            Line(f"{finding.state:<8} {clean(finding.subject)}: {clean(finding.text)}", _STYLES[finding.state])
        )
        if finding.remedy:
            parts.append(Line(f"{'':<8} {clean(finding.remedy)}"))
    counts = {state: sum(f.state is state for f in result.findings) for state in State}
    parts.append(Line())
    if not result.ok:
        problems = pluralize(counts[State.PROBLEM], "problem")
        parts.append(Line(f"A load would fail: {problems}.", "bold red"))
    else:
        slow = f"; {pluralize(counts[State.SLOW], 'thing')} to make faster" if counts[State.SLOW] else ""
        risk = f"; {pluralize(counts[State.RISK], 'risk')}" if counts[State.RISK] else ""
        parts.append(Line(f"A load can begin{slow}{risk}.", "green"))
    return parts
