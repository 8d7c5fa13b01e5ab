"""The load order: parents before children."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from pgsluice.model import Table, TableName


def load_order(
    tables: Iterable[Table], first: Mapping[TableName, Collection[TableName]] = MappingProxyType({})
) -> tuple[tuple[TableName, ...], tuple[tuple[str, ...], ...]]:
    """The tables with parents before children, ties by name; tables of a cycle stand together.

    Tarjan's algorithm returns strongly connected components with children last if edges lead to parents, so the order
    follows from the search (R. Tarjan, "Depth-first search and linear graph algorithms", 1972).

    :param first: for a table the tables that row rules want before it, as far as foreign keys allow that.
    :returns: the names in load order, and the groups that form a cycle. A self-reference is no cycle.
    """
    by_name = {t.name: t for t in tables}
    number: dict[TableName, int] = {}
    low: dict[TableName, int] = {}
    stack: list[TableName] = []
    order: list[TableName] = []
    cycles: list[tuple[str, ...]] = []

    def wanted(name: TableName) -> set[TableName]:
        """The tables of ``first`` that do not reference the table, not even through others: that would be a cycle."""
        return {other for other in first.get(name, ()) if other in by_name and not reaches(other, name, set())}

    def reaches(start: TableName, goal: TableName, seen: set[TableName]) -> bool:
        seen.add(start)
        following = {fk.references for fk in by_name[start].foreign_keys} | set(first.get(start, ()))
        return goal in following or any(
            reaches(n, goal, seen) for n in following if n is not None and n in by_name and n not in seen
        )

    def visit(name: TableName) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        parents = ({fk.references for fk in by_name[name].foreign_keys} | wanted(name)) & by_name.keys()
        for parent in sorted(p for p in parents if p is not None):
            if parent not in number:
                visit(parent)
                low[name] = min(low[name], low[parent])
            elif parent in stack:
                low[name] = min(low[name], number[parent])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[len(stack) - len(group) :]
            order.extend(group)
            if len(group) > 1:
                cycles.append(tuple(str(n) for n in group))

    for name in sorted(by_name):
        if name not in number:
            visit(name)
    return tuple(order), tuple(cycles)
