"""What a run knows about each table while it is under way. Mutable; lives for one run only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psycopg import sql

from pgsluice.model import Column, FilePlan, Strategy, TablePlan
from pgsluice.pipeline.ingest.adaptive import FormatChooser
from pgsluice.pipeline.row_map import RowMap
from pgsluice.source.blocks import Extent
from pgsluice.source.corrections import Corrections
from pgsluice.source.locate import Places, locate

if TYPE_CHECKING:
    from pgsluice.source.locate import Numbers


@dataclass(slots=True)
class FileRun:
    """One file of a table: where its ordinals begin in the table's count, and what was read of it."""

    plan: FilePlan
    number: int
    base: int = 0
    read: int = 0
    sha256: str = ""
    extents: list[Extent] = field(default_factory=list)
    skipped: bool = False
    staged_before: bool = False
    """An interrupted run staged it; it is not read again."""
    loaded_by: int | None = None
    """The earlier run that loaded the same content, when skipped."""
    corrections: Corrections | None = None
    """In a replay: where the records come from, instead of the file."""

    def locate(self, wanted: Iterable[Numbers]) -> Iterator[Places]:
        """Records by their ordinals (ascending, in the file's own count, in portions), and where they stand."""
        if self.corrections is not None:
            return self.corrections.locate(wanted)
        return locate(self.plan.file, self.plan.names, self.extents, wanted)


@dataclass(slots=True)
class TableRun:
    """One table of the run.

    ``target`` is the table itself; ``stage`` the typed temporary table that rows pass through when they
    do not go in place; ``doubt`` the temporary table of texts that PostgreSQL has yet to decide on.
    """

    number: int
    plan: TablePlan
    way: Strategy
    files: list[FileRun]
    columns: tuple[Column, ...]
    target: sql.Identifier
    stage: sql.Identifier
    doubt: sql.Identifier
    gone: sql.Identifier
    late: sql.Identifier
    twins: sql.Identifier
    ordinal: str
    """Name of the ordinal column in ``stage`` and ``doubt``, unlike any column of the table."""
    segments: RowMap = field(default_factory=RowMap)
    landed: int = 0
    """Rows of the files that the table holds now, as PostgreSQL's command tags count them."""
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    staged: int = 0
    doubts: int = 0
    becomes: int = 0
    """Oid of the new table that will take the table's place."""
    lasting: bool = False
    """Stage and doubt are tables of the ledger's schema that outlive the run, not temporary ones."""
    as_it_is: bool = False
    """Blocks go to PostgreSQL as the files have them, until it refuses one: that block and those behind it are
    read by DuckDB, which tells certain rows from those in doubt."""
    pace: FormatChooser = field(default_factory=FormatChooser)
    """Which of these blocks are read here all the same, since it is faster."""
    frozen: bool = False
    """Rows arrive frozen, so that no index build and no foreign key has to ask of each whether it is this
    transaction's own (a quarter of the time of a load of eight million rows); until PostgreSQL refuses one."""
    careful_from: tuple[int, int] | None = None
    """Rows arrive frozen though some are bad: from this block on (its file's number, its first ordinal), which
    PostgreSQL has refused before, blocks go typed, and CHECKs, which typing does not ask, are down."""
    direct: bool = False
    """Rows go past the stage into the table, with all of its constraints up, until PostgreSQL refuses one: that
    block and those behind it are staged."""
    numbering: bool = False
    """The stage numbers the rows that come without an ordinal."""
    stage_made: bool = False
    doubt_made: bool = False
    gone_made: bool = False
    late_rows: int = 0
    """Rows that are to be deleted, and noted in ``late``, because others refer to them until the run's end."""
    checks_down: bool = False
    checks_broken: bool = False
    """They are down because a row broke one."""
    suspect: bool = False
    """Something about the rows is known not to be clean; then the judge comes before the attempt."""
    keys_watched: tuple[str, ...] = ()
    """Columns by which other tables of the run refer to this one; kept of rejected rows."""

    def start_again(self, careful_from: tuple[int, int] | None) -> None:
        """The table is empty as before its first row, and its rows will come frozen, with care, or unfrozen."""
        self.pace = FormatChooser()
        self.careful_from = careful_from
        self.frozen = careful_from is not None
        self.doubt_made = self.checks_down = self.checks_broken = self.suspect = False
        self.landed = self.doubts = 0
        self.segments = RowMap()
        for file in self.files:
            file.read, file.sha256, file.extents = 0, "", []

    @property
    def name(self) -> str:
        return str(self.plan.table.name)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns by which staged rows are matched with the table's; none where it held no rows."""
        return self.plan.key if self.way is Strategy.STAGE else ()

    @property
    def read(self) -> int:
        return sum(f.read for f in self.files)

    def file_of(self, ordinal: int) -> FileRun:
        """The file that the ordinal (in the table's count) belongs to."""
        return next(f for f in reversed(self.files) if f.base <= ordinal and not f.skipped)


def table_load(number: int, plan: TablePlan, watched: tuple[str, ...], first_file: int) -> TableRun:
    """The state of a table at the start of a run.

    :param watched: columns that foreign keys of this run refer to.
    :param first_file: number of the table's first file within the run.
    """
    table = plan.table
    full = next((f for f in plan.files if f.columns), None)
    names = full.brought if full else ()
    ordinal = "pgsluice_ord"
    while any(c.name == ordinal for c in table.columns):
        ordinal += "_"
    return TableRun(
        number=number,
        plan=plan,
        way=plan.way,
        files=[FileRun(f, first_file + i) for i, f in enumerate(plan.files)],
        columns=tuple(table.column(n) for n in names),
        target=sql.Identifier(table.name.schema, table.name.name),
        stage=sql.Identifier("pg_temp", f"pgsluice_stage_{number}"),
        doubt=sql.Identifier("pg_temp", f"pgsluice_doubt_{number}"),
        gone=sql.Identifier("pg_temp", f"pgsluice_gone_{number}"),
        late=sql.Identifier("pg_temp", f"pgsluice_late_{number}"),
        twins=sql.Identifier("pg_temp", f"pgsluice_twin_{number}"),
        ordinal=ordinal,
        keys_watched=tuple(dict.fromkeys(c for c in (*watched, *plan.key) if c in names)),
    )


def columns_of(state: TableRun, alias: str | None = None) -> sql.Composed:
    """The loaded columns, quoted, in the order of the table's first file."""
    return sql.SQL(", ").join(sql.Identifier(alias, c.name) if alias else sql.Identifier(c.name) for c in state.columns)
