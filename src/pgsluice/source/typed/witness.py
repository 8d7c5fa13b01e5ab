"""Witnesses: values of a file that show in which notation its column is written."""

from __future__ import annotations

from dataclasses import dataclass

from pgsluice.source.blocks import Block, Extent, extent


@dataclass(frozen=True, slots=True)
class Witness:
    """A value that shows something about the notation of its column."""

    text: str
    ordinal: int
    extent: Extent
    """The extent of its block, to find its line."""


def witness_of(block: Block, place: int, text: str) -> Witness:
    """The witness at a place of a block.

    :param place: the number of the record among the faultless records of the block, from 0.
    """
    return Witness(text, _ordinal(block, place), extent(block))


def first_where(field: str, what: str, condition: str) -> list[str]:
    """SQL of the first row of a block that fulfils a condition: its place as ``<field>_<what>``, and the text of the
    field, ``<field>_t``, in that row as ``<field>_<what>_t``.
    """
    return [
        f"min(place) FILTER ({condition}) AS {field}_{what}",
        f"arg_min({field}_t, place) FILTER ({condition}) AS {field}_{what}_t",
    ]


def _ordinal(block: Block, place: int) -> int:
    """The ordinal of the faultless record at a place of the block, from 0."""
    for first, count in block.ordinals:
        if place < count:
            return first + place
        place -= count
    raise AssertionError
