"""Quality of a run: derived tables, rules, warnings and profiles, all in the transaction that publishes the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg

from pgsluice.ledger.quality import made_last, record_derived, record_profiles, record_rules, record_warnings
from pgsluice.model import (
    ColumnProfile,
    Definition,
    Derived,
    LoadOptions,
    Phase,
    Progress,
    RuleResult,
)
from pgsluice.pipeline.quality.outcome import rule_results
from pgsluice.pipeline.quality.profiles import profile_tables
from pgsluice.pipeline.quality.warnings import WarnedRow, first_warnings
from pgsluice.pipeline.state import RunContext, TableRun


@dataclass(slots=True)
class Quality:
    """What one attempt derives and asks after the last table is loaded."""

    context: RunContext
    options: LoadOptions
    definitions: Sequence[Definition]
    rules: tuple[RuleResult, ...] = ()
    derived: Derived = field(default_factory=Derived)
    _warned: list[WarnedRow] = field(default_factory=list)
    _profiles: tuple[ColumnProfile, ...] = ()

    def ask(self, todo: Sequence[TableRun]) -> None:
        """Brings derived tables up to date, profiles the loaded tables, and then asks the rules, which may read both.

        :param todo: the tables that the run has loaded. Their statistics have been collected.
        :raises CallError: a definition or a rule is wrong.
        :raises DatabaseError: PostgreSQL refuses a definition or its result.
        """
        conn, clock = self.context.conn, self.context.clock
        if self.definitions:
            from pgsluice.postgres.derived.build import derive

            with clock.phase("derive"):
                self._tell("derived tables")
                changed = {t.table.name for t in todo if _changed(t)}
                followed = {t.table.oid: t.followed for t in todo if t.followed is not None}
                self.derived = derive(conn, self.definitions, made_last(conn), changed, followed)
        if self.options.profile or any(r.drift for r in self.options.quality.sets):
            with clock.phase("profile"):
                self._profiles = profile_tables(conn, todo)
        if self.options.quality.sets or any(t.plan.rules for t in todo):
            with clock.phase("rules"):
                self._tell("rules")
                self.rules = rule_results(conn, self.options.quality, todo, self._profiles)
                self._warned = list(first_warnings(conn, todo))

    def record(self, conn: psycopg.Connection, run_id: int, *, published: bool) -> None:
        """Records rules and warnings and, if the run is published, derived tables and profiles in the ledger."""
        record_rules(conn, run_id, self.rules)
        record_warnings(conn, run_id, self._warned)
        if published:
            record_derived(conn, run_id, self.definitions, self.derived)
            record_profiles(conn, run_id, self._profiles if self.options.profile else ())

    def _tell(self, step: str) -> None:
        self.context.listen(Progress(Phase.PUBLISH, step=step))


def _changed(table_run: TableRun) -> bool:
    """Whether the run has changed a row of the table."""
    counts = table_run.counts
    written = counts.inserted + counts.updated + counts.deleted
    return bool(written or (counts.landed and not table_run.merge_key))
