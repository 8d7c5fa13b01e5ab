"""The scratch tables of a run: the names, columns and life of every temporary table that pgsluice makes for itself.

Their DDL is in ``sql/scratch.sql``; ``docs/explanation/scratch-tables.md`` lists who fills and who reads each. All are
made ON COMMIT DROP on the main connection, except the stages of a resumable run, which are unlogged tables of the
ledger's schema. Scratch tables that one statement makes and the next consumes (CREATE TABLE AS) have their DDL beside
the other statements of their module.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Column
from pgsluice.sql import compose, query


def _scratch(name: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"pgsluice_{name}")


REJECT = _scratch("reject")
"""The rejects of the run. ``verdict_no`` refers to :data:`VERDICT` where many rejects share a verdict; a reject's
own ``kind`` overrides the kind of that verdict. ``related_table_no`` and ``related_ordinal`` name the rejected parent,
or the earlier row with the same key."""

VERDICT = _scratch("verdict")
"""Verdicts that many rejects share, numbered from 1."""

VIOLATION = _scratch("violation")
"""Violations that a validation found: a row, the priority of the constraint, and for a duplicate key the ordinal of the
earlier row. A row may violate several constraints; the lowest priority is the reason that PostgreSQL would name."""

VIOLATION_VERDICT = _scratch("violation_verdict")
"""The verdict for each priority of :data:`VIOLATION`."""

DUPLICATE = _scratch("duplicate")
"""Rows that share a key of a unique index with another row, by group."""

EXCLUDED = _scratch("excluded")
"""Rows that cannot stay. ``as_duplicate``: only because an earlier row has their key."""

CONTENDER = _scratch("contender")
"""Duplicates that are not excluded; if the table has one unique index, the first ordinal of each group."""

KEPT_KEY = _scratch("kept_key")
"""Keys that are taken while the rows of :data:`CONTENDER` are decided one by one."""

KEY_GROUP = _scratch("key_group")
"""Keys of a unique index that several rows share, numbered."""

EARLIER = _scratch("earlier")
"""Held rows that have a key of a row in their table, filled in place."""

REJECTED_ROW = _scratch("rejected_row")
"""Rows of :data:`VIOLATION`, each once, with ordinal and first priority."""

REMAINING = _scratch("remaining")
"""Rows that stay in a table filled in place, when most of its rows are rejected and it is written anew."""

BANNED = _scratch("banned")
"""Rows that the bisecting insert rejects although PostgreSQL would accept them, with their verdicts."""

REFUSED = _scratch("refused")
"""Rows that PostgreSQL refused when rows were inserted one by one."""

BAD_VALUE = _scratch("bad_value")
"""Texts that an input function refuses: ordinal, number of the column, text."""

ROW_MAP = _scratch("row_map")
"""The row map of a table filled in place, to be joined by rank."""

MATCHED = _scratch("matched")
"""Staged rows that change the table: new rows, and rows that differ from their match."""

CHANGED = _scratch("changed")
"""Staged rows that update a row of the table."""

NEW = _scratch("new")
"""Staged rows whose merge key the table does not contain."""

CAUSE = _scratch("cause")
"""The cause of each reject that is a child of a rejected row."""

RELATED_LINE = _scratch("related_line")
"""File and line of the rows that rejects name."""


def field_column(position: int) -> str:
    """The column of a text stage that holds the field at a position, from 0, where columns are computed."""
    return f"pgsluice_{position + 1}"


def create_rejects(conn: psycopg.Connection) -> None:
    """Creates :data:`REJECT` and :data:`VERDICT` for the rest of the transaction."""
    conn.execute(query("scratch", "create_rejects"))


def empty_violations(conn: psycopg.Connection) -> None:
    """Creates the working tables of a validation, or empties them."""
    conn.execute(query("scratch", "create_violations"))
    conn.execute(query("scratch", "empty_violations"))


def has_rows(conn: psycopg.Connection, table: sql.Identifier) -> bool:
    """Whether a scratch table holds any row."""
    return conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone() == (True,)


class ScratchTables:
    """The scratch tables of one table run: what they are called and which of them exist.

    ``snapshot`` and ``restore`` follow a savepoint, because a rollback to it drops the tables made since.
    """

    def __init__(self, number: int, table: sql.Identifier, columns: Sequence[Column], watched: Sequence[str]) -> None:
        """:param number: the number of the table run, which makes the names unique.
        :param table: the target table, whose types the stage takes.
        :param columns: the columns that the files contain.
        :param watched: columns whose values are kept for rejected rows.
        """
        self._number = number
        self.stage = _scratch(f"stage_{number}")
        self.text_stage = _scratch(f"text_stage_{number}")
        self.evaluated = _scratch(f"evaluated_{number}")
        """A text stage with the texts of computed columns; it takes the place of a text stage with fields."""
        self.fields = 0
        """How many fields the text stage holds, where columns are computed; 0: it has the columns of the table."""
        self.rejected_keys = _scratch(f"rejected_keys_{number}")
        self.deferred_deletes = _scratch(f"deferred_deletes_{number}")
        """Merge keys of rows to delete at the end of the run, because other rows still reference them."""
        self.duplicate_keys = _scratch(f"duplicate_keys_{number}")
        """Ordinals of staged rows that share their merge key, with the ordinal of the first row of each key."""
        self.ordinal = "pgsluice_ordinal"
        """The name of the ordinal column in the tables above, unlike any column of the target table."""
        self.watched = tuple(watched)
        self.defaults: dict[str, str] = {}
        """Columns of the stage with a default, as SQL: rows of files without the column get it from the stage."""
        self.lasting = False
        """Stage and text stage outlive the run's connections."""
        self._sequence = _scratch(f"ordinals_{number}")
        self._table = table
        self._columns = tuple(columns)
        self._made: frozenset[str] = frozenset()

    def row_type(self, number: int) -> sql.Identifier:
        """A table whose row type has some of the columns of the stage."""
        return _scratch(f"row_type_{self._number}_{number}")

    @property
    def stage_made(self) -> bool:
        """Whether the stage exists."""
        return "stage" in self._made

    @property
    def text_stage_made(self) -> bool:
        """Whether the text stage exists."""
        return "text_stage" in self._made

    @property
    def rejected_keys_made(self) -> bool:
        """Whether the table of rejected keys exists."""
        return "rejected_keys" in self._made

    def snapshot(self) -> frozenset[str]:
        """Which tables exist now."""
        return self._made

    def restore(self, made: frozenset[str]) -> None:
        """Notes that only these tables exist, after a rollback to the savepoint of the snapshot."""
        self._made = made

    def outlive_run(self, stage: sql.Identifier, text_stage: sql.Identifier, *, stage_made: bool, text: bool) -> None:
        """Makes stage and text stage lasting tables of these names.

        :param stage_made: the stage exists.
        :param text: the text stage exists.
        """
        self.lasting = True
        self.stage, self.text_stage = stage, text_stage
        self._made = frozenset({"stage"} if stage_made else set()) | frozenset({"text_stage"} if text else set())

    def ensure_stage(self, conn: psycopg.Connection) -> None:
        """Creates the stage unless it exists."""
        if self.stage_made:
            return
        conn.execute(
            compose(
                "scratch",
                "create_stage",
                persistence=self._persistence,
                stage=self.stage,
                on_commit=self._on_commit,
                ordinal=sql.Identifier(self.ordinal),
                columns=sql.SQL(", ").join(sql.Identifier(c.name) for c in self._columns),
                table=self._table,
            )
        )
        for column, default in self.defaults.items():
            conn.execute(
                sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT {}").format(
                    self.stage, sql.Identifier(column), sql.SQL(default)
                )
            )
        self._made |= {"stage"}

    def ensure_text_stage(self, conn: psycopg.Connection) -> None:
        """Creates the text stage unless it exists."""
        if self.text_stage_made:
            return
        conn.execute(
            compose(
                "scratch",
                "create_text_stage",
                persistence=self._persistence,
                text_stage=self.text_stage,
                ordinal=sql.Identifier(self.ordinal),
                columns=_text_columns([field_column(i) for i in range(self.fields)] or [c.name for c in self._columns]),
                on_commit=self._on_commit,
            )
        )
        self._made |= {"text_stage"}

    def create_evaluated(self, conn: psycopg.Connection) -> None:
        """Creates a text stage with the columns of the table beside a text stage with fields."""
        conn.execute(
            compose(
                "scratch",
                "create_text_stage",
                persistence=sql.SQL("TEMP"),
                text_stage=self.evaluated,
                ordinal=sql.Identifier(self.ordinal),
                columns=_text_columns([c.name for c in self._columns]),
                on_commit=sql.SQL("ON COMMIT DROP"),
            )
        )

    def replace_text_stage(self, conn: psycopg.Connection) -> None:
        """Drops the text stage with fields; the one with the columns of the table takes its place."""
        conn.execute(sql.SQL("DROP TABLE {}").format(self.text_stage))
        self.text_stage, self.fields = self.evaluated, 0

    def ensure_rejected_keys(self, conn: psycopg.Connection) -> None:
        """Creates the table of rejected keys unless it exists."""
        if self.rejected_keys_made:
            return
        conn.execute(
            compose(
                "scratch",
                "create_rejected_keys",
                rejected_keys=self.rejected_keys,
                ordinal=sql.Identifier(self.ordinal),
                columns=_text_columns(self.watched),
            )
        )
        self._made |= {"rejected_keys"}

    def number_from(self, conn: psycopg.Connection, ordinal: int) -> None:
        """Gives this ordinal, and those that follow, to rows that COPY brings into the stage without an ordinal."""
        name = sql.Literal(self._sequence.as_string(conn))
        if "sequence" not in self._made:
            conn.execute(
                compose(
                    "scratch",
                    "create_sequence",
                    sequence=self._sequence,
                    stage=self.stage,
                    ordinal=sql.Identifier(self.ordinal),
                    sequence_name=name,
                )
            )
            self._made |= {"sequence"}
        conn.execute(sql.SQL("SELECT pg_catalog.setval({}::regclass, {}, false)").format(name, sql.Literal(ordinal)))

    def drop_text_stage(self, conn: psycopg.Connection) -> None:
        """Drops the text stage, whose rows have gone into the stage or to the rejects."""
        conn.execute(sql.SQL("DROP TABLE {}").format(self.text_stage))
        self._made -= {"text_stage"}

    def drop_stages(self, conn: psycopg.Connection) -> None:
        """Drops stage, text stage and sequence, when the table is finished."""
        for name, table in (("stage", self.stage), ("text_stage", self.text_stage)):
            if name in self._made:
                conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        if "sequence" in self._made:
            # Sequences know no ON COMMIT DROP, and a server that is stopped at once would leave the sequence behind.
            conn.execute(sql.SQL("DROP SEQUENCE {}").format(self._sequence))
        self._made -= {"stage", "text_stage", "sequence"}

    def forget_stages(self) -> None:
        """Notes that stage, text stage and rejected keys do not exist any more."""
        self._made -= {"stage", "text_stage", "rejected_keys"}

    @property
    def _persistence(self) -> sql.SQL:
        return sql.SQL("UNLOGGED" if self.lasting else "TEMP")

    @property
    def _on_commit(self) -> sql.SQL:
        return sql.SQL("" if self.lasting else "ON COMMIT DROP")


def _text_columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
