"""What PostgreSQL has made of a definition, and whether groups of its result can be computed by themselves.

PostgreSQL parses the query: it becomes a view, and ``pg_rewrite.ev_action`` holds the view's query as a tree in the
format of ``outfuncs.c``. Names in that text have a backslash before each blank and each brace, so a word such as
``:hasSubLinks true`` cannot be part of a name. Whatever is not known here to be harmless is a reason to compute the
whole query.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.model import Definition
from pgsluice.postgres.search_path import user_path
from pgsluice.sql import compose, query

_NODES_WORDS = """
    AGGREF ALIAS ARRAY ARRAYCOERCEEXPR ARRAYEXPR BOOLEANTEST BOOLEXPR CASE CASEEXPR CASETESTEXPR CASEWHEN COALESCE
    COALESCEEXPR COERCEVIAIO COLLATEEXPR COLLATE CONST DISTINCTEXPR FROMEXPR FUNCEXPR JOINEXPR MINMAX MINMAXEXPR
    NULLIFEXPR NULLTEST OPEXPR QUERY RANGETBLENTRY RANGETBLREF RELABELTYPE ROWCOMPAREEXPR ROWCOMPARE
    RTEPERMISSIONINFO SCALARARRAYOPEXPR SORTGROUPCLAUSE SUBSCRIPTINGREF TARGETENTRY VAR WHEN
"""
_NODES = frozenset(_NODES_WORDS.split())
"""The nodes that a query may have. Their values depend on the row and on functions, which are examined."""

_FLAGS = {
    "hasWindowFuncs": "a window function",
    "hasTargetSRFs": "a function that returns sets",
    "hasSubLinks": "a subquery",
    "hasDistinctOn": "DISTINCT ON",
    "hasModifyingCTE": "WITH",
    "hasForUpdate": "FOR UPDATE",
    "hasRecursive": "WITH",
}

_LISTS = {
    "cteList": "WITH",
    "groupingSets": "grouping sets",
    "limitOffset": "OFFSET",
    "limitCount": "LIMIT",
    "setOperations": "UNION, INTERSECT or EXCEPT",
    "tablesample": "TABLESAMPLE",
}

_RELATION_KINDS = frozenset("029")
"""Kinds of entries of the range table: relation, join, and (from PostgreSQL 18 on) the grouping expressions."""

_BY_SETTINGS_WORDS = """
    concat concat_ws date date_part date_trunc extract format time timestamp timestamptz timetz timezone to_char
    date_eq_timestamptz date_ge_timestamptz date_gt_timestamptz date_le_timestamptz date_lt_timestamptz
    date_ne_timestamptz timestamp_eq_timestamptz timestamp_ge_timestamptz timestamp_gt_timestamptz
    timestamp_le_timestamptz timestamp_lt_timestamptz timestamp_ne_timestamptz timestamptz_eq_date
    timestamptz_ge_date timestamptz_gt_date timestamptz_le_date timestamptz_lt_date timestamptz_ne_date
    timestamptz_eq_timestamp timestamptz_ge_timestamp timestamptz_gt_timestamp timestamptz_le_timestamp
    timestamptz_lt_timestamp timestamptz_ne_timestamp timestamptz_mi_interval timestamptz_pl_interval
    interval_pl_timestamptz
"""
_BY_SETTINGS = frozenset(_BY_SETTINGS_WORDS.split())
"""Functions that PostgreSQL calls stable because they depend on settings such as TimeZone, which the stamp keeps.
Others depend on the present moment, on the session or on the catalog."""

_TEXTS = frozenset({"25", "1042", "1043"})
"""The oids of text, character and character varying."""

_FUNCTIONS = re.compile(r" :(?:funcid|aggfnoid|opfuncid|hashfuncid|negfuncid) (\d+)")
_OPERATORS = re.compile(r" :opno (\d+)")
_OPERATOR_LISTS = re.compile(r" :opnos \(o ([\d ]+)\)")
_TYPES = re.compile(r" :\w*type(?:id)? (\d+)")
_COERCED = re.compile(r" :resulttype (\d+) :resultcollid \d+ :coerceformat ")
"""The end of a node COERCEVIAIO, which no other node has."""


class ComputeAll(Exception):
    """The whole query has to be computed; the message says why."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that a query reads."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A query whose groups can be computed by themselves, as far as PostgreSQL's tree tells."""

    text: str
    """The query as PostgreSQL writes it under the safe path."""
    md5: str
    """Of the tree. Another tree may give another result, though the text of the definition is the same."""
    relations: tuple[Relation, ...]
    occurrences: int
    """How often the query names a table: a table may be joined with itself."""
    grouped: bool
    """Whether rows are grouped. Otherwise a group is the rows of the result with the same keys."""


def read_tree(conn: psycopg.Connection[Any], definition: Definition) -> Tree:
    """Reads what PostgreSQL has made of a definition.

    :param conn: has the safe path, and is in a transaction. The temporary view ``pgsluice_definition`` stays.
    :raises ComputeAll: groups of the result cannot be computed by themselves.
    """
    with user_path(conn):
        conn.execute(compose("derived", "probe", query=sql.SQL(definition.query)))
    row = conn.execute(query("incremental", "parsed")).fetchone()
    assert row is not None
    view, text, tree = row
    _check_shape(tree)
    grouped = _check_keys(tree, definition.incremental_by)
    _check_values(conn, tree)
    oids = [int(oid) for oid in re.findall(r" :rtekind 0 :relid (\d+) ", tree) if int(oid) != view]
    unnumbered = tree.replace(f" :relid {view} ", " :relid 0 ")
    return Tree(
        text=text.strip().removesuffix(";"),
        md5=hashlib.md5(unnumbered.encode()).hexdigest(),
        relations=_relations(conn, oids),
        occurrences=len(oids),
        grouped=grouped,
    )


def _check_shape(tree: str) -> None:
    if tree.count("{QUERY ") != 1:
        raise ComputeAll("the query has a subquery")
    for flag, words in _FLAGS.items():
        if f" :{flag} false " not in tree:
            raise ComputeAll(f"the query has {words}")
    for name, words in _LISTS.items():
        if any(found != "<>" for found in re.findall(rf" :{name} (\S+)", tree)):
            raise ComputeAll(f"the query has {words}")
    if any(kind not in _RELATION_KINDS for kind in re.findall(r" :rtekind (\d+)", tree)):
        raise ComputeAll("the query reads something that is no table")
    if set(re.findall(r" :jointype (\d+)", tree)) - {"0", "1"}:
        raise ComputeAll("the query has a RIGHT or FULL JOIN")
    if any(int(number) < 1 for number in re.findall(r" :varattno (-?\d+)", tree)):
        raise ComputeAll("the query uses whole rows or system columns")
    if strange := set(re.findall(r"(?<!\\){([A-Z_]+)", tree)) - _NODES:
        raise ComputeAll(f"the query uses {min(strange).lower()}")


def _check_keys(tree: str, keys: tuple[str, ...]) -> bool:
    """Checks that the keys tell the groups apart; returns whether rows are grouped at all."""
    clause = re.search(r" :groupClause (<>|\(.*?\)) :groupDistinct", tree)
    aggregates = " :hasAggs true " in tree or " :havingQual <>" not in tree
    if clause is None or clause[1] == "<>":
        if aggregates:
            raise ComputeAll("the query has no GROUP BY")
        return False
    grouping = set(re.findall(r" ?:tleSortGroupRef (\d+)", clause[1]))
    outputs = {
        re.sub(r"\\(.)", r"\1", name): ref
        for name, ref in re.findall(r" :resname ((?:\\.|[^\s\\])+) :ressortgroupref (\d+) ", tree)
        if name != "<>"
    }
    for key in keys:
        if outputs.get(key) not in grouping:
            raise ComputeAll(f"the query does not group by {key}")
    return True


def _check_values(conn: psycopg.Connection[Any], tree: str) -> None:
    """Checks that a value depends on nothing but the rows and the settings of the stamp."""
    operators = _OPERATORS.findall(tree) + [oid for oids in _OPERATOR_LISTS.findall(tree) for oid in oids.split()]
    parameters = {"functions": list(map(int, _FUNCTIONS.findall(tree))), "operators": list(map(int, operators))}
    for name, own, volatility, sets in conn.execute(query("incremental", "functions"), parameters).fetchall():
        if not own:
            raise ComputeAll(f"the query calls {name}, which is not PostgreSQL's own")
        if sets:
            raise ComputeAll(f"the query calls {name}, which returns sets")
        if volatility != "i" and not (volatility == "s" and name in _BY_SETTINGS):
            raise ComputeAll(f"the query calls {name}, whose value may change without the rows")
    types = {"types": list(set(map(int, _TYPES.findall(tree))))}
    for (name,) in conn.execute(query("incremental", "types"), types).fetchall():
        raise ComputeAll(f"the query uses the type {name}")
    coerced = _COERCED.findall(tree)
    if set(coerced) - _TEXTS or len(coerced) != tree.count("{COERCEVIAIO "):
        raise ComputeAll("the query casts text to another type")


def _relations(conn: psycopg.Connection[Any], oids: list[int]) -> tuple[Relation, ...]:
    found = []
    for oid, schema, name, flaw, columns in conn.execute(query("incremental", "relations"), {"oids": oids}).fetchall():
        if flaw:
            raise ComputeAll(f"the query reads {name}, {flaw}")
        found.append(Relation(oid, schema, name, tuple(columns)))
    return tuple(found)
