"""Text about what ran after the publish."""

from __future__ import annotations

from pgsluice.model import GuestResult, RunResult
from pgsluice.report.parts import Grid, Line, Part, clean, number, seconds
from pgsluice.text import pluralize

FAILED_SHOWN = 20
"""Models and tests that failed, in the summary of a run; ``--json`` has all of them."""


def guest_parts(result: RunResult) -> list[Part]:
    """What became of the guests of a run, and what to do if one failed."""
    parts: list[Part] = []
    for guest in result.guests:
        parts += _guest(guest)
    if any(not guest.ok for guest in result.guests):
        rows = "The rows are published all the same" if result.status == "published" else "Nothing was loaded"
        parts.append(
            Line(
                f"{rows}. Correct what failed and give the same command again (no --again): it loads no file twice.",
                "bold",
            )
        )
    return parts


def _guest(guest: GuestResult) -> list[Part]:
    what = f"{guest.program} {clean(guest.name or guest.project)}"
    if guest.ok:
        return [Line(f"{what}: {_counts(guest)} in {seconds(guest.seconds)}.", "green")]
    parts: list[Part] = [Line(f"{what} failed after {seconds(guest.seconds)}: {_reason(guest)}.", "bold red")]
    failed = [node for node in guest.nodes if not node.ok and node.status != "skipped"]
    if failed:
        rows = tuple(
            (
                clean(node.name),
                clean(node.kind),
                clean(node.status),
                "" if node.failures is None else number(node.failures),
                clean(node.message, 200),
            )
            for node in failed[:FAILED_SHOWN]
        )
        parts.append(Grid(("failed", "kind", "status", "rows", "message"), rows, frozenset({3}), wrap=True))
    if len(failed) > FAILED_SHOWN:
        parts.append(Line(f"and {number(len(failed) - FAILED_SHOWN)} more; --json lists them all", "dim"))
    return parts


def _reason(guest: GuestResult) -> str:
    if guest.message:
        return clean(guest.message)
    failed = sum(not node.ok and node.status != "skipped" for node in guest.nodes)
    skipped = sum(node.status == "skipped" for node in guest.nodes)
    rest = f", {number(skipped)} were skipped" if skipped else ""
    return f"{number(failed)} of {number(len(guest.nodes))} failed{rest} ({_counts(guest)})"


def _counts(guest: GuestResult) -> str:
    """How many parts of each kind: ``1 model and 4 tests``."""
    kinds: dict[str, int] = {}
    for node in guest.nodes:
        kinds[node.kind] = kinds.get(node.kind, 0) + 1
    return " and ".join(pluralize(count, clean(kind)) for kind, count in kinds.items()) or "nothing to build"
