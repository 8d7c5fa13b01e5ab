"""Whether the ledger can be trusted: nobody else's code may run when a role reads or writes the ledger.

A trigger, a rule, a policy or a default of a ledger table runs with the rights of the role that writes the table. So
the schema and the tables have to belong to an owner who has those rights anyway, and the tables have to be as pgsluice
creates them. The facts come from the query ``state`` of ``sql/ledger_state.sql``.
"""

from __future__ import annotations

from typing import Protocol

from pgsluice.errors import DatabaseError

_COLUMNS = {
    "run": "run_id started ended status seconds options detail rejects_path pid client replay_of",
    "file": "run_id file_no table_oid table_schema table_name path sha256 bytes status rows_read rows_loaded"
    " rows_rejected rows_replayed columns dialect mode",
    "reject": "run_id reject_no table_name file line ordinal kind column_name constraint_name sqlstate message raw"
    " parent_file parent_line replayed_by detail cause_no byte_offset",
    "ledger_version": "version since pgsluice",
    "rule_result": "run_id rule kind table_name severity ok count value detail evidence seconds",
    "warning": "run_id rule table_name file line raw",
    "derived": "made run_id table_schema table_name materialization action rows changed seconds sha256 reads"
    " note stamp",
    "column_profile": "run_id table_schema table_name column_no column_name type rows nulls exact distinct_values"
    " minimum maximum mean frequent bounds",
    "run_summary": "run_id summary",
    "guest_result": "run_id guest_no place program project built_for name kind status ok failures seconds message",
    "staged": "run_id table_oid path sha256 bytes first_ordinal rows_read rows_staged rows_in_doubt extents table_no",
}
"""The columns of each table of the ledger, in the newest version."""

_ADDED = {
    ("reject", "detail"): 4,
    ("reject", "cause_no"): 4,
    ("derived", "note"): 6,
    ("derived", "stamp"): 6,
    ("reject", "byte_offset"): 8,
}
"""Columns that older ledgers lack, with the version that added them."""

_MOVE = "ALTER SCHEMA pgsluice RENAME TO pgsluice_old;"


class Facts(Protocol):
    """What the trust in the ledger depends on; a subset of the columns of query ``state``."""

    @property
    def version(self) -> int:
        """The version of the ledger."""

    @property
    def database(self) -> str:
        """The database."""

    @property
    def stranger(self) -> str | None:
        """An owner of the schema or a table who is not trusted."""

    @property
    def take_over(self) -> list[str]:
        """Statements that give the objects of such owners to the current role."""

    @property
    def removals(self) -> list[str]:
        """Statements that remove triggers, rules and row level security."""

    @property
    def flaws(self) -> list[str]:
        """Further differences from tables that pgsluice creates, in words."""

    @property
    def columns(self) -> list[str]:
        """The columns of the tables, as ``table.column``."""


def refuse_foreign(state: Facts) -> None:
    """Checks that the ledger, as far as it exists, can be trusted.

    :raises DatabaseError: the ledger belongs to another role, bears code of its own, or has not the shape of a ledger.
    """
    ledger = f"the ledger in schema pgsluice of database {state.database}"
    if state.stranger is not None:
        raise DatabaseError(
            f"{ledger} belongs to role {state.stranger}, whose triggers and defaults would run with your rights",
            f"If you trust what is in it, as a superuser: {'; '.join(state.take_over)}; if not, move it away: {_MOVE}",
        )
    if state.removals:
        raise DatabaseError(
            f"{ledger} has triggers, rules or policies, which pgsluice never creates",
            f"As the owner of the tables: {'; '.join(state.removals)};",
        )
    if flaws := [*state.flaws, *_column_flaws(state.columns, state.version)]:
        raise DatabaseError(f"{ledger} is not as pgsluice creates it: {flaws[0]}", f"Move it away: {_MOVE}")


def _column_flaws(columns: list[str], version: int) -> list[str]:
    """Returns which columns of the existing tables are missing and which are unknown, in words."""
    found: dict[str, set[str]] = {}
    for column in columns:
        table, _, name = column.partition(".")
        found.setdefault(table, set()).add(name)
    flaws = []
    for table, names in found.items():
        expected = {c for c in _COLUMNS[table].split() if version >= _ADDED.get((table, c), 0)}
        flaws += [f"pgsluice.{table} has no column {name}" for name in sorted(expected - names)]
        flaws += [f"pgsluice.{table} has an unknown column {name}" for name in sorted(names - expected)]
    return flaws
