"""Which nested loops of a plan are quadratic."""

from __future__ import annotations

from typing import Any

import pytest

from pgsluice.postgres.planner_hints import has_quadratic_loop


def node(kind: str, *plans: dict[str, Any], **more: str) -> dict[str, Any]:
    found: dict[str, Any] = {"Node Type": kind, **{k.replace("_", " "): v for k, v in more.items()}}
    if plans:
        sides = ("Outer", "Inner")
        found["Plans"] = [{**p, "Parent Relationship": side} for p, side in zip(plans, sides, strict=False)]
    return found


STAGE = node("Seq Scan", Relation_Name="pgsluice_stage_1")
REJECTS = node("Seq Scan", Relation_Name="pgsluice_reject")
TABLE = node("Seq Scan", Relation_Name="customers")
LOOKUP = node("Index Scan", Relation_Name="customers", Index_Cond="(id = s.id)")
BY_TID = node("Tid Scan", Relation_Name="customers", TID_Cond="(ctid = m.row_id)")
WITH = node("CTE Scan", CTE_Name="held")


@pytest.mark.parametrize(
    ("plan", "rows", "quadratic"),
    [
        (node("Hash Join", STAGE, node("Hash", TABLE)), None, False),
        (node("Nested Loop", STAGE, LOOKUP), None, False),
        (node("Nested Loop", STAGE, node("Memoize", LOOKUP)), None, False),
        (node("Nested Loop", STAGE, BY_TID), None, False),
        (node("Nested Loop", STAGE, TABLE), None, True),
        (node("Nested Loop", STAGE, TABLE), 3, True),
        (node("Nested Loop", TABLE, STAGE), 3, True),
        (node("Nested Loop", STAGE, node("Materialize", TABLE)), None, True),
        (node("Nested Loop", LOOKUP, STAGE), 3, True),
        (node("Aggregate", node("Nested Loop", STAGE, WITH)), None, True),
        (node("Nested Loop", STAGE, REJECTS), None, True),
        (node("Nested Loop", STAGE, REJECTS), 1001, True),
        (node("Nested Loop", STAGE, REJECTS), 1000, False),
        (node("Nested Loop", TABLE, node("Subquery Scan", node("Result"))), None, False),
        (node("Nested Loop", TABLE, node("Limit", node("Sort", STAGE))), None, False),
        (node("Nested Loop", node("Nested Loop", STAGE, TABLE), LOOKUP), None, True),
    ],
)
def test_quadratic(plan: dict[str, Any], rows: int | None, quadratic: bool) -> None:
    assert has_quadratic_loop(plan, rows) is quadratic
