"""TODO pgsluice.pipeline.validate.unique."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Constraint
from pgsluice.pipeline.scratch import DUP, LOST, OFF, SAID
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.violations import Offenders
from pgsluice.postgres.capabilities import unique_indexes
from pgsluice.postgres.planner_hints import planner_setting_off


def any_rows(conn: psycopg.Connection, table: sql.Identifier) -> bool:
    return conn.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone() == (True,)


_RIVAL = sql.SQL("EXISTS (SELECT FROM {} AS s WHERE s.tab = o.tab AND s.prio = o.prio AND s.kind = 'unique')").format(
    SAID
)
"""The reason ``o`` is a row of the table that has the key."""


def note_lost(conn: psycopg.Connection) -> int:
    """Rows that have a reason of their own are lost; says how many were not before. Who comes behind a row of
    the table is a loser as one who comes behind a row of the files is.
    """
    return conn.execute(
        sql.SQL(
            "INSERT INTO {lost} SELECT DISTINCT o.tab, o.rid, false FROM {off} AS o WHERE NOT {rival}"
            " AND NOT EXISTS (SELECT FROM {lost} AS l WHERE l.tab = o.tab AND l.rid = o.rid AND NOT l.loser)"
        ).format(lost=LOST, off=OFF, rival=_RIVAL)
    ).rowcount


def settle_group(
    conn: psycopg.Connection, group: Sequence[TableRun], keys: Sequence[tuple[Offenders, Sequence[Constraint]]]
) -> None:
    """Decides who stays.

    Rows that can have no parent within the group leave first, to any depth. Then keys that several rows want
    go to the first in file order. If that takes somebody's parent away, the child leaves for good and may
    have kept others from a key: so the question is put again without it.
    """
    while True:
        while sum(o.inner_keys(k, group, without_losers=False) for o, k in keys):
            note_lost(conn)
        _settle_duplicates(conn, listed=bool(keys))
        if not sum(o.inner_keys(k, group, without_losers=True) for o, k in keys):
            return
        conn.execute(sql.SQL("DELETE FROM {} WHERE loser").format(LOST))
        note_lost(conn)


_LIVE = sql.Identifier("pg_temp", "pgsluice_live")


_ROUNDS = 8


_GREEDY = """
DECLARE r record;
BEGIN
  CREATE TEMP TABLE pgsluice_taken (tab integer, ix integer, grp bigint, PRIMARY KEY (tab, ix, grp)) ON COMMIT DROP;
  FOR r IN SELECT tab, rid, array_agg(ix) AS ixs, array_agg(grp) AS grps FROM pg_temp.pgsluice_live
           GROUP BY tab, ord, rid ORDER BY tab, ord LOOP
    IF EXISTS (SELECT FROM unnest(r.ixs, r.grps) AS u (ix, grp)
               JOIN pg_temp.pgsluice_taken AS t ON t.tab = r.tab AND t.ix = u.ix AND t.grp = u.grp) THEN
      INSERT INTO pg_temp.pgsluice_lost VALUES (r.tab, r.rid, true);
    ELSE
      INSERT INTO pg_temp.pgsluice_taken SELECT r.tab, u.ix, u.grp FROM unnest(r.ixs, r.grps) AS u (ix, grp);
    END IF;
  END LOOP;
  DROP TABLE pg_temp.pgsluice_taken;
END
"""


def _settle_duplicates(conn: psycopg.Connection, *, listed: bool) -> None:
    """Of the rows that share a unique key the first in file order stays, as if they came one by one.

    A row that is refused for another reason never stood in the index and displaces nobody. With several
    unique indexes a row may be a later one in one group and the first in another: so in each round only
    rows whose group is led by a row that is second nowhere lose, until no group has two members. What is
    left of a long chain of such rows is gone through one by one.

    :param listed: the losers of a single index are to be in LOST; those of several always are.
    """
    conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_live")
    conn.execute(
        sql.SQL(
            "INSERT INTO {lost} SELECT DISTINCT o.tab, o.rid, true FROM {off} AS o WHERE {rival}"
            " AND NOT EXISTS (SELECT FROM {lost} AS l WHERE l.tab = o.tab AND l.rid = o.rid)"
        ).format(lost=LOST, off=OFF, rival=_RIVAL)
    )
    several = conn.execute(
        "SELECT (min(tab), min(ix)) <> (max(tab), max(ix)) FROM pg_temp.pgsluice_dup"
    ).fetchone() == (True,)
    # Of one index alone nobody asks but who comes first.
    columns = sql.SQL("*" if several else "tab, ix, grp, min(ord) AS ord")
    first = sql.SQL("" if several else "GROUP BY tab, ix, grp")
    # Half of the time goes into this question of a million rows, even if none is lost.
    stays = sql.SQL("WHERE NOT EXISTS (SELECT FROM {} AS l WHERE l.tab = d.tab AND l.rid = d.rid)").format(LOST)
    conn.execute(
        sql.SQL("CREATE TEMP TABLE pgsluice_live ON COMMIT DROP AS SELECT {} FROM {} AS d {} {}").format(
            columns, DUP, stays if any_rows(conn, LOST) else sql.SQL(""), first
        )
    )
    conn.execute(sql.SQL("ANALYZE {}").format(_LIVE))
    if not several:
        if listed:
            conn.execute(
                sql.SQL(
                    "INSERT INTO {} SELECT d.tab, d.rid, true FROM {} AS d JOIN {} AS l USING (tab, ix, grp)"
                    " WHERE d.ord > l.ord AND NOT EXISTS (SELECT FROM {} AS x WHERE x.tab = d.tab AND x.rid = d.rid)"
                ).format(LOST, DUP, _LIVE, LOST)
            )
        return
    lead = sql.SQL("lead AS (SELECT tab, ix, grp, min(ord) AS ord FROM {} GROUP BY tab, ix, grp)").format(_LIVE)
    refuse = sql.SQL(
        "WITH {lead}, later AS MATERIALIZED (SELECT DISTINCT d.tab, d.ord FROM {live} AS d"
        " JOIN lead AS l USING (tab, ix, grp) WHERE d.ord <> l.ord)"
        " INSERT INTO {lost} SELECT DISTINCT d.tab, d.rid, true FROM {live} AS d JOIN lead AS l USING (tab, ix, grp)"
        " WHERE d.ord > l.ord AND NOT EXISTS (SELECT FROM later AS x WHERE x.tab = l.tab AND x.ord = l.ord)"
    ).format(lead=lead, live=_LIVE, lost=LOST)
    gone = sql.SQL("DELETE FROM {} AS d USING {} AS l WHERE l.loser AND l.tab = d.tab AND l.rid = d.rid").format(
        _LIVE, LOST
    )
    # The planner takes what the WITH queries bring for a handful: 30,000 rows took half a minute in nested loops.
    conn.execute(sql.SQL("ANALYZE {}").format(LOST))
    rounds = _ROUNDS
    with planner_setting_off(conn, "enable_nestloop"):
        while rounds and conn.execute(refuse).rowcount:
            conn.execute(gone)
            rounds -= 1
    if not rounds:
        conn.execute(sql.SQL("DO {}").format(sql.Literal(_GREEDY)))
        conn.execute(gone)


def name_duplicates(conn: psycopg.Connection, state: TableRun, offenders: Offenders) -> None:
    """Whoever leaves and has the key of an earlier row that stays meets that index, too."""
    for ix, index in enumerate(unique_indexes(state.plan.table)):
        conn.execute(
            sql.SQL(
                "INSERT INTO {off} (tab, rid, ord, prio, rival) SELECT d.tab, d.rid, d.ord, {prio}, k.ord"
                " FROM {dup} AS d JOIN {live} AS k ON k.tab = d.tab AND k.ix = d.ix AND k.grp = d.grp AND k.ord < d.ord"
                " WHERE d.tab = {tab} AND d.ix = {ix}"
            ).format(
                off=OFF,
                prio=sql.Literal(offenders.unique_prio(ix, index)),
                dup=DUP,
                live=_LIVE,
                tab=sql.Literal(state.number),
                ix=sql.Literal(ix),
            )
        )
