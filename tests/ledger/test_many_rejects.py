"""The groups of many rejects, of which PostgreSQL has no statistics yet."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from pgsluice.ledger import schema
from pgsluice.ledger.queries import reject_groups

REJECTS = 40_000


def test_the_time_is_in_proportion(conn: psycopg.Connection[Any]) -> None:
    schema.ensure(conn)
    conn.execute("ALTER TABLE pgsluice.reject SET (autovacuum_enabled = false)")
    conn.execute("INSERT INTO pgsluice.run (status, options, pid, client) VALUES ('vetoed', '{}', 1, 'x:1')")
    conn.execute(
        "INSERT INTO pgsluice.reject (run_id, reject_no, table_name, file, line, ordinal, kind, column_name,"
        " constraint_name, sqlstate, message, raw, cause_no)"
        " SELECT 1, g, 't', 't.csv', g, g, CASE WHEN g %% 2 = 0 THEN 'parent' ELSE 'unique' END, '', 'k', '23505', 'm',"
        " 'r', CASE WHEN g %% 2 = 0 THEN g - 1 END FROM generate_series(1, %s) AS g",
        (REJECTS,),
    )
    began = time.perf_counter()
    groups = reject_groups(conn, 1)
    assert time.perf_counter() - began < 10
    assert {(g.kind, g.count) for g in groups} == {("unique", REJECTS // 2), ("parent", REJECTS // 2)}
    assert conn.execute("SHOW enable_nestloop").fetchone() == ("on",)
