"""A database, named once: the public functions as methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from pgsluice.api import checking, inferring, inspecting, loading, quality, resetting
from pgsluice.api.connections import PathLike
from pgsluice.arguments import LoadArguments, PlanArguments
from pgsluice.model import (
    DerivedResult,
    DoctorResult,
    Listener,
    Plan,
    PurgeResult,
    Reject,
    RejectSheet,
    RejectsResult,
    ResetResult,
    RowRule,
    RuleResult,
    RunReport,
    RunResult,
    RunSummary,
    SchemaDiff,
    SetRule,
    VerifyResult,
    ignore_progress,
)

Rule = RowRule | SetRule | Mapping[str, Any]


class Session:
    """The functions of pgsluice for one database. Each method has the parameters of the function of its name.

    A session holds an address and no connection: every method opens its own connections and closes them, so there is
    nothing to close, and threads may share a session.

    :param database_url: the server, as for :func:`pgsluice.load`.
    :param data_dir: the folder for the embedded server's data and for reports, as for :func:`pgsluice.load`.
    """

    def __init__(self, database_url: str | None = None, *, data_dir: str | None = None) -> None:
        self._database_url = database_url
        self._data_dir = data_dir

    def __repr__(self) -> str:
        # The address may hold a password, and notebooks keep what they show.
        named = [] if self._database_url is None else ["..."]
        return f"Session({', '.join(named + ([f'data_dir={self._data_dir!r}'] if self._data_dir else []))})"

    @property
    def _address(self) -> dict[str, str | None]:
        return {"database_url": self._database_url, "data_dir": self._data_dir}

    def load(
        self,
        *paths: PathLike,
        config: PathLike | None = None,
        listen: Listener = ignore_progress,
        progress: bool = False,
        **options: Unpack[LoadArguments],
    ) -> RunResult:
        """Loads files into the tables that their names say: :func:`pgsluice.load`."""
        return loading.load(*paths, config=config, listen=listen, progress=progress, **self._address, **options)

    def plan(self, *paths: PathLike, config: PathLike | None = None, **options: Unpack[PlanArguments]) -> Plan:
        """Returns what :meth:`load` would do with the same arguments: :func:`pgsluice.plan`."""
        return loading.plan(*paths, config=config, **self._address, **options)

    def schema_diff(
        self,
        *paths: PathLike,
        likely: bool = False,
        listen: Listener = ignore_progress,
        **options: Unpack[PlanArguments],
    ) -> SchemaDiff:
        """Compares files with the tables that exist, and proposes changes: :func:`pgsluice.schema_diff`."""
        return inferring.schema_diff(*paths, likely=likely, listen=listen, **self._address, **options)

    def doctor(
        self, *paths: PathLike, config: PathLike | None = None, **options: Unpack[PlanArguments]
    ) -> DoctorResult:
        """Checks the connection, the server and the load of files: :func:`pgsluice.doctor`."""
        return checking.doctor(*paths, config=config, **self._address, **options)

    def replay(
        self,
        run_id: int | None,
        file: PathLike,
        *,
        encoding: str | None = None,
        max_rejects: str | int | Sequence[str] = 0,
        dry_run: bool = False,
        no_wait: bool = False,
        lock_timeout: float = 5.0,
        listen: Listener = ignore_progress,
        progress: bool = False,
    ) -> RunResult:
        """Loads corrected rejects of a published run: :func:`pgsluice.replay`."""
        return loading.replay(
            run_id,
            file,
            encoding=encoding,
            max_rejects=max_rejects,
            dry_run=dry_run,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            listen=listen,
            progress=progress,
            **self._address,
        )

    def resume(self, run_id: int, *, listen: Listener = ignore_progress, progress: bool = False) -> RunResult:
        """Continues an interrupted run: :func:`pgsluice.resume`."""
        return loading.resume(run_id, listen=listen, progress=progress, **self._address)

    def reset(
        self,
        *,
        ledger: bool = False,
        schema: PathLike | Sequence[PathLike] = (),
        everything: bool = False,
        dry_run: bool = False,
        into: str | None = None,
    ) -> ResetResult:
        """Drops the ledger, the tables of schema files, or all: :func:`pgsluice.reset`."""
        return resetting.reset(
            ledger=ledger, schema=schema, everything=everything, dry_run=dry_run, into=into, **self._address
        )

    def verify(
        self,
        *,
        into: str | None = None,
        sql: str | None = None,
        rules: Sequence[Rule] = (),
        rule_files: Sequence[PathLike] = (),
        config: PathLike | None = None,
    ) -> VerifyResult:
        """Verifies the loaded tables: :func:`pgsluice.verify`."""
        return inspecting.verify(into=into, sql=sql, rules=rules, rule_files=rule_files, config=config, **self._address)

    def runs(self, *, limit: int = 20, file: str | None = None, table: str | None = None) -> tuple[RunSummary, ...]:
        """Returns the newest runs, newest first: :func:`pgsluice.runs`."""
        return inspecting.runs(
            limit=limit, file=file, table=table, database_url=self._database_url, data_dir=self._data_dir
        )

    def rejects(self, run_id: int | None = None, *, table: str | None = None) -> tuple[int, RejectsResult]:
        """Counts the open rejects of a run in groups: :func:`pgsluice.rejects`."""
        return inspecting.rejects(run_id, table=table, **self._address)

    def reject_rows(self, run_id: int, *, table: str | None = None, marks: bool = False) -> Iterator[Reject]:
        """Yields the open rejects of a run: :func:`pgsluice.reject_rows`."""
        return inspecting.reject_rows(
            run_id, table=table, marks=marks, database_url=self._database_url, data_dir=self._data_dir
        )

    def reject_sheets(
        self, run_id: int, *, table: str | None = None, guard_formulas: bool = False
    ) -> Iterator[RejectSheet]:
        """Yields the open rejects as sheets with a column for each field: :func:`pgsluice.reject_sheets`."""
        return inspecting.reject_sheets(run_id, table=table, guard_formulas=guard_formulas, **self._address)

    def purge_rejects(self, older_than: str) -> PurgeResult:
        """Deletes old rejects: :func:`pgsluice.purge_rejects`."""
        return inspecting.purge_rejects(older_than, **self._address)

    def run_report(self, run_id: int | None = None) -> RunReport:
        """Returns everything that the ledger has of a run: :func:`pgsluice.run_report`."""
        return inspecting.run_report(run_id, **self._address)

    def check_rules(
        self,
        *,
        rules: Sequence[Rule] = (),
        rule_files: Sequence[PathLike] = (),
        config: PathLike | None = None,
        into: str | None = None,
    ) -> tuple[RuleResult, ...]:
        """Asks rules of the tables as they stand: :func:`pgsluice.check_rules`."""
        return quality.check_rules(rules=rules, rule_files=rule_files, config=config, into=into, **self._address)

    def derive(
        self, *paths: PathLike, config: PathLike | None = None, into: str | None = None
    ) -> tuple[DerivedResult, ...]:
        """Brings derived tables up to date: :func:`pgsluice.derive`."""
        return quality.derive(*paths, config=config, into=into, **self._address)
