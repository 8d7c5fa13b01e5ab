"""The order in which the tables of a schema file stand: parents before children."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from pgsluice.inference.draft import DraftReference, DraftTable
from pgsluice.model import Certainty


def load_order(tables: Sequence[DraftTable]) -> tuple[list[DraftTable], list[DraftReference]]:
    """The tables in load order, and the references that close a cycle, which are added when all tables are there."""
    later: list[DraftReference] = []
    while True:
        sorter: TopologicalSorter[int] = TopologicalSorter({t.number: () for t in tables})
        between: dict[tuple[int, int], list[DraftReference]] = {}
        for table in tables:
            for reference in table.references:
                if (
                    reference.certainty is Certainty.CERTAIN
                    and reference.parent is not table
                    and reference not in later
                ):
                    sorter.add(table.number, reference.parent.number)
                    between.setdefault((reference.parent.number, table.number), []).append(reference)
        try:
            order = list(sorter.static_order())
        except CycleError as error:
            cycle = error.args[1]
            # The weakest of the references in the cycle waits.
            steps = [between[pair] for pair in pairwise(cycle) if pair in between]
            later += min(steps, key=lambda several: max(r.score for r in several))
            continue
        by_number = {t.number: t for t in tables}
        return [by_number[number] for number in order], later
