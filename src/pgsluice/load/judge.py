"""The judge: which rows are refused, and by what. PostgreSQL decides; this module asks it in sets.

Two questions are put to it. *Values*: what do the texts in doubt mean to the columns' own input
functions (:func:`decide_values`). *Constraints*: which rows of a relation break one
(:func:`judge`); those leave as rejects, and whoever called tries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from pgsluice.load.land import REJECT, make_stage
from pgsluice.load.offenders import (
    DUP,
    OFF,
    PRIO_CHECK,
    PRIO_UNIQUE,
    Offenders,
    unique_indexes,
    unique_verdict,
)
from pgsluice.load.state import TableLoad
from pgsluice.model import Column, Constraint, TableName
from pgsluice.target.verdict import NOT_ROWS_SQL, about_rows

# --------------------------------------------------------------------------- values


def decide_values(conn: psycopg.Connection, state: TableLoad) -> None:
    """Texts in doubt that the columns' input functions take go into the stage, the others are rejects.

    From 16 on ``pg_input_error_info`` asks the input functions without raising, in sets. Where it is
    missing, or a type's input function raises all the same (extensions), each row is tried in a block
    of its own on the server. The conversion itself reads the whole row as the stage's row type:
    ``record_in`` hands every field to its column's input function with the column's type modifier, as
    COPY does, so a text too long for ``varchar(3)`` is refused and not cut as by a cast.
    """
    make_stage(conn, state)
    asked = False
    if conn.info.server_version >= 160000:
        try:
            with conn.transaction():
                _ask_in_sets(conn, state)
                state.staged += _pour_doubts(conn, state)
            asked = True
        except psycopg.Error as error:
            if not about_rows(error):
                raise
    if not asked:
        _ask_one_by_one(conn, state)
        state.staged += _pour_doubts(conn, state)
    _remember(
        conn,
        state,
        sql.SQL(
            "SELECT {}, {} FROM {} AS r WHERE EXISTS (SELECT FROM {} AS q WHERE q.tab = {} AND q.ord = r.{})"
        ).format(
            sql.Identifier("r", state.ordinal),
            _texts(state.keys_watched, "r"),
            state.doubt,
            REJECT,
            sql.Literal(state.number),
            sql.Identifier(state.ordinal),
        ),
    )
    conn.execute(sql.SQL("DROP TABLE {}").format(state.doubt))
    state.doubt_made = False


def _can_fail(column: Column) -> bool:
    return not (column.base == "text" and column.kind == "b" and column.base_schema == "pg_catalog")


def _ask_in_sets(conn: psycopg.Connection, state: TableLoad) -> None:
    asked = [c for c in state.columns if _can_fail(c)]
    if not asked:
        return
    parts = [
        sql.SQL(
            "SELECT d.{ord}, {n} AS n, {name} AS col, e.sql_error_code AS code, e.message FROM {doubt} AS d,"
            " pg_input_error_info(d.{column}, {type}) AS e"
            " WHERE d.{column} IS NOT NULL AND e.sql_error_code IS NOT NULL"
        ).format(
            ord=sql.Identifier(state.ordinal),
            n=sql.Literal(n),
            name=sql.Literal(c.name),
            doubt=state.doubt,
            column=sql.Identifier(c.name),
            type=sql.Literal(c.type_sql),
        )
        for n, c in enumerate(asked)
    ]
    conn.execute(
        sql.SQL(
            "INSERT INTO {} (tab, ord, kind, col, code, message)"
            " SELECT DISTINCT ON (1, 2) {}, f.ord, 'value', f.col, f.code, f.message"
            " FROM ({}) AS f (ord, n, col, code, message) ORDER BY 1, 2, f.n"
        ).format(REJECT, sql.Literal(state.number), sql.SQL(" UNION ALL ").join(parts))
    )


def _record(state: TableLoad, columns: Sequence[Column], alias: str = "d") -> sql.Composable:
    """The row literal that ``record_in`` reads: ordinal first, values quoted, NULL as nothing."""
    fields: list[sql.Composable] = [sql.SQL("{}::text").format(sql.Identifier(alias, state.ordinal))]
    for c in state.columns:
        if c in columns:
            fields.append(
                sql.SQL("coalesce('\"' || replace(replace({c}, '\\', '\\\\'), '\"', '\"\"') || '\"', '')").format(
                    c=sql.Identifier(alias, c.name)
                )
            )
        else:
            fields.append(sql.SQL("''"))
    return sql.SQL("'(' || {} || ')'").format(sql.SQL(" || ',' || ").join(fields))


def _pour_doubts(conn: psycopg.Connection, state: TableLoad) -> int:
    return conn.execute(
        sql.SQL(
            "INSERT INTO {stage} SELECT (v.r).* FROM {doubt} AS d"
            " CROSS JOIN LATERAL (SELECT ({record})::{stage} AS r OFFSET 0) AS v"
            " WHERE NOT EXISTS (SELECT FROM {reject} AS q WHERE q.tab = {tab} AND q.ord = d.{ord})"
        ).format(
            stage=state.stage,
            doubt=state.doubt,
            record=_record(state, state.columns),
            reject=REJECT,
            tab=sql.Literal(state.number),
            ord=sql.Identifier(state.ordinal),
        )
    ).rowcount


_ONE_BY_ONE = """
DECLARE d record; v {stage}; code text; said text; field text;
BEGIN
  FOR d IN SELECT * FROM {doubt} ORDER BY {ord} LOOP
    BEGIN
      v := {record};
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
      IF left(code, 2) IN {system} THEN RAISE; END IF;
      field := '';
      {columns}
      INSERT INTO {reject} (tab, ord, kind, col, code, message)
        VALUES ({tab}, d.{ord}, 'value', field, code, said);
    END;
  END LOOP;
END
"""

_ONE_COLUMN = """
      IF field = '' AND d.{column} IS NOT NULL THEN
        BEGIN v := {record}; EXCEPTION WHEN OTHERS THEN field := {name}; END;
      END IF;
"""


def _ask_one_by_one(conn: psycopg.Connection, state: TableLoad) -> None:
    columns = sql.SQL("").join(
        sql.SQL(_ONE_COLUMN).format(column=sql.Identifier(c.name), record=_record(state, [c]), name=sql.Literal(c.name))
        for c in state.columns
        if _can_fail(c)
    )
    body = sql.SQL(_ONE_BY_ONE).format(
        stage=state.stage,
        doubt=state.doubt,
        ord=sql.Identifier(state.ordinal),
        record=_record(state, state.columns),
        system=sql.SQL(NOT_ROWS_SQL),
        columns=columns,
        reject=REJECT,
        tab=sql.Literal(state.number),
    )
    conn.execute(sql.SQL("DO {}").format(sql.Literal(body.as_string(conn))))


# --------------------------------------------------------------------------- constraints


def judge(
    conn: psycopg.Connection,
    state: TableLoad,
    others: Mapping[TableName, TableLoad],
    *,
    staged: bool,
    rows: bool = True,
    keys: Sequence[Constraint] = (),
    unique: bool = True,
    beside: Mapping[int, sql.Composable] | None = None,
) -> int:
    """Moves every row of the relation that breaks a constraint to the rejects.

    :param others: the run's tables by name, for the parents that were rejected themselves.
    :param staged: judge the stage; else the table itself, which was filled in place.
    :param rows: ask NOT NULL (of a stage) and CHECK.
    :param keys: the foreign keys to ask.
    :param unique: ask the unique indexes; of several rows with one key the first in file order stays.
    :param beside: see :meth:`Offenders.foreign_keys`.
    :returns: how many rows left.
    """
    offenders = Offenders(conn, state, staged=staged)
    if rows:
        if staged:
            offenders.not_null()
        offenders.checks()
    offenders.foreign_keys(keys, beside)
    if unique:
        offenders.duplicates()
    if not conn.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {}) OR EXISTS (SELECT FROM {})").format(OFF, DUP)
    ).fetchone()[0]:  # type: ignore[index]
        return 0
    _number(conn, state, staged)
    if unique:
        _settle_duplicates(conn, state)
    return _expel(conn, state, others, keys, staged)


def _number(conn: psycopg.Connection, state: TableLoad, staged: bool) -> None:
    """Gives the offenders their ordinals."""
    if staged:
        places: sql.Composable = sql.SQL("SELECT ctid AS rid, {} AS ord FROM {}").format(
            sql.Identifier(state.ordinal), state.stage
        )
    else:
        places = _ranked(conn, state)
    for table in (OFF, DUP):
        conn.execute(
            sql.SQL("UPDATE {t} AS o SET ord = p.ord FROM ({places}) AS p WHERE p.rid = o.rid").format(
                t=table, places=places
            )
        )


def _ranked(conn: psycopg.Connection, state: TableLoad) -> sql.Composable:
    """(rid, ord) of the offenders in a table filled in place, by their rank in the heap.

    Rows that were deleted earlier keep their rank: their addresses are remembered in ``out``.
    """
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS pgsluice_out (tab integer NOT NULL, rid tid NOT NULL) ON COMMIT DROP")
    conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_rank, pg_temp.pgsluice_segment")
    conn.execute("CREATE TEMP TABLE pgsluice_segment (rank bigint NOT NULL, ord bigint NOT NULL) ON COMMIT DROP")
    with conn.cursor().copy("COPY pg_temp.pgsluice_segment FROM STDIN") as copy:
        for rank, first, _ in state.segments.runs:
            copy.write_row((rank, first))
    conn.execute("CREATE INDEX ON pg_temp.pgsluice_segment (rank)")
    conn.execute("ANALYZE pg_temp.pgsluice_segment")
    gone = conn.execute("SELECT EXISTS (SELECT FROM pg_temp.pgsluice_out WHERE tab = %s)", (state.number,)).fetchone()
    # The window without an order numbers rows as the scan brings them: one process, from block 0 on.
    conn.execute("SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0")
    if gone and gone[0]:
        ranked = sql.SQL(
            "SELECT rid, row_number() OVER (ORDER BY rid) AS rank FROM (SELECT ctid AS rid FROM ONLY {}"
            " UNION ALL SELECT rid FROM pg_temp.pgsluice_out WHERE tab = {}) AS u"
        ).format(state.target, sql.Literal(state.number))
    else:
        ranked = sql.SQL("SELECT ctid AS rid, row_number() OVER () AS rank FROM ONLY {}").format(state.target)
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE pgsluice_rank ON COMMIT DROP AS SELECT r.rid, s.ord + r.rank - s.rank AS ord"
            " FROM ({ranked}) AS r JOIN (SELECT rid FROM {off} UNION SELECT rid FROM {dup}) AS w ON w.rid = r.rid"
            " CROSS JOIN LATERAL (SELECT g.rank, g.ord FROM pg_temp.pgsluice_segment AS g WHERE g.rank <= r.rank"
            " ORDER BY g.rank DESC LIMIT 1) AS s"
        ).format(ranked=ranked, off=OFF, dup=DUP)
    )
    conn.execute("SET LOCAL max_parallel_workers_per_gather TO DEFAULT")
    return sql.SQL("SELECT rid, ord FROM pg_temp.pgsluice_rank")


def _settle_duplicates(conn: psycopg.Connection, state: TableLoad) -> None:
    """Of the rows that share a unique key the first in file order stays, as if they came one by one.

    A row that is refused for another reason never stood in the index and displaces nobody. With several
    unique indexes a row may be a later one in one group and the first in another: so in each round only
    rows whose group is led by a row that is second nowhere are refused, until no group has two members.
    """
    conn.execute(
        sql.SQL("DELETE FROM {} AS d USING {} AS o WHERE o.rid = d.rid AND o.prio < {}").format(
            DUP, OFF, sql.Literal(PRIO_UNIQUE + PRIO_CHECK)
        )
    )
    conn.execute(sql.SQL("UPDATE {} AS d SET orphan = true FROM {} AS o WHERE o.rid = d.rid").format(DUP, OFF))
    indexes = unique_indexes(state)
    if not indexes:
        return
    verdicts = [unique_verdict(i) for i in indexes]
    said = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}, {}, {}, {})").format(
            sql.Literal(ix), *(sql.Literal(v[k]) for k in ("kind", "column", "constraint", "code", "message"))
        )
        for ix, v in enumerate(verdicts)
    )
    leaders = sql.SQL(
        "lead AS (SELECT ix, grp, min(ord) AS ord FROM {dup} WHERE NOT orphan GROUP BY ix, grp),"
        " later AS (SELECT DISTINCT d.ord FROM {dup} AS d JOIN lead AS l USING (ix, grp)"
        " WHERE NOT d.orphan AND d.ord <> l.ord)"
    ).format(dup=DUP)
    refuse = sql.SQL(
        "WITH {leaders}, refused AS (SELECT DISTINCT ON (d.rid) d.rid, d.ord, d.ix FROM {dup} AS d JOIN lead AS l"
        " USING (ix, grp) WHERE d.ord > l.ord AND {who}"
        " AND NOT EXISTS (SELECT FROM later AS x WHERE x.ord = l.ord) ORDER BY d.rid, d.ix)"
        " INSERT INTO {off} (rid, ord, prio, kind, col, con, code, message)"
        " SELECT r.rid, r.ord, {prio} + r.ix, v.kind, v.col, v.con, v.code, v.message"
        " FROM refused AS r JOIN (VALUES {said}) AS v (ix, kind, col, con, code, message) ON v.ix = r.ix"
    )
    while True:
        statement = refuse.format(
            leaders=leaders,
            dup=DUP,
            off=OFF,
            prio=sql.Literal(PRIO_UNIQUE),
            said=said,
            who=sql.SQL("NOT d.orphan"),
        )
        if not conn.execute(statement).rowcount:
            break
        conn.execute(sql.SQL("DELETE FROM {} AS d USING {} AS o WHERE o.rid = d.rid AND NOT d.orphan").format(DUP, OFF))
    # An orphan that comes after an accepted row with its key meets the unique index before the foreign key.
    conn.execute(
        refuse.format(
            leaders=leaders,
            dup=DUP,
            off=OFF,
            prio=sql.Literal(PRIO_UNIQUE),
            said=said,
            who=sql.SQL("d.orphan"),
        )
    )


def _expel(
    conn: psycopg.Connection,
    state: TableLoad,
    others: Mapping[TableName, TableLoad],
    keys: Sequence[Constraint],
    staged: bool,
) -> int:
    """Writes the offenders to the rejects, remembers their keys and deletes them."""
    relation: sql.Composable = state.stage if staged else state.target
    conn.execute(
        sql.SQL(
            "INSERT INTO {} (tab, ord, kind, col, con, code, message)"
            " SELECT DISTINCT ON (o.ord) {}, o.ord, o.kind, o.col, o.con, o.code, o.message"
            " FROM {} AS o ORDER BY o.ord, o.prio"
        ).format(REJECT, sql.Literal(state.number), OFF)
    )
    for fk in keys:
        _name_parents(conn, state, others, fk, relation)
    _remember(
        conn,
        state,
        sql.SQL("SELECT DISTINCT o.ord, {} FROM {} AS r JOIN {} AS o ON o.rid = r.ctid").format(
            _texts(state.keys_watched, "r"), relation, OFF
        ),
    )
    if not staged:
        conn.execute(
            sql.SQL("INSERT INTO pg_temp.pgsluice_out SELECT DISTINCT {}, rid FROM {}").format(
                sql.Literal(state.number), OFF
            )
        )
    count = conn.execute(
        sql.SQL("DELETE FROM {} AS r USING (SELECT DISTINCT rid FROM {}) AS o WHERE r.ctid = o.rid").format(
            relation, OFF
        )
    ).rowcount
    if staged:
        state.staged -= count
    else:
        state.landed -= count
    return count


def _texts(names: Sequence[str], alias: str) -> sql.Composable:
    if not names:
        return sql.SQL("NULL")
    return sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, n)) for n in names)


def _remember(conn: psycopg.Connection, state: TableLoad, query: sql.Composable) -> None:
    """Keeps ordinal and watched keys of rejected rows, so that their children can name them."""
    if not state.keys_watched:
        return
    make_gone(conn, state)
    conn.execute(sql.SQL("INSERT INTO {} {}").format(state.gone, query))


def make_gone(conn: psycopg.Connection, state: TableLoad) -> None:
    """Makes the table that keeps the watched keys of rejected rows, if it is not there."""
    if state.gone_made:
        return
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in state.keys_watched)
    conn.execute(
        sql.SQL("CREATE TEMP TABLE {} ({} bigint, {}) ON COMMIT DROP").format(
            state.gone, sql.Identifier(state.ordinal), columns
        )
    )
    state.gone_made = True


def _name_parents(
    conn: psycopg.Connection,
    state: TableLoad,
    others: Mapping[TableName, TableLoad],
    fk: Constraint,
    relation: sql.Composable,
) -> None:
    """Orphans whose parent was read and rejected in this run say so: kind ``parent``."""
    parent = others.get(fk.references) if fk.references else None
    if parent is None or not parent.gone_made or not set(fk.referenced_columns) <= set(parent.keys_watched):
        return
    same = sql.SQL(" AND ").join(
        sql.SQL("g.{} = r.{}::text").format(sql.Identifier(p), sql.Identifier(c))
        for p, c in zip(fk.referenced_columns, fk.columns, strict=True)
    )
    names = sql.SQL(", ").join(map(sql.Identifier, fk.referenced_columns))
    conn.execute(
        sql.SQL(
            "UPDATE {reject} AS q SET kind = 'parent', parent_tab = {parent}, parent_ord = g.ord"
            " FROM {off} AS o JOIN {relation} AS r ON r.ctid = o.rid"
            " JOIN (SELECT {names}, min({ord}) AS ord FROM {gone} GROUP BY {names}) AS g ON {same}"
            " WHERE q.tab = {tab} AND q.ord = o.ord AND q.kind = 'foreign_key' AND q.con = {con} AND o.con = {con}"
        ).format(
            reject=REJECT,
            parent=sql.Literal(parent.number),
            off=OFF,
            relation=relation,
            names=names,
            ord=sql.Identifier(parent.ordinal),
            gone=parent.gone,
            same=same,
            tab=sql.Literal(state.number),
            con=sql.Literal(fk.name),
        )
    )
