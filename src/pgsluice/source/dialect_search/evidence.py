"""Evidence: why the search reads a file as it does, which lines it passes over, and what may not be meant."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pgsluice.model import DialectOptions, PassedOver
from pgsluice.source.dialect_search.expectations import Expectations
from pgsluice.source.dialect_search.footer import doubt, footer, total_row
from pgsluice.source.dialect_search.layout import units_line
from pgsluice.source.dialect_search.result import Result, header_fit
from pgsluice.source.dialect_search.sample import Sample
from pgsluice.source.dialect_search.scoring import Scored

COMMENT = "#"
"""With what comments begin, where the user does not say it."""


@dataclass(slots=True)
class Surroundings:
    """What a search knows of a file besides the records."""

    sample: Sample
    """The lines behind those that are passed over from the start, without comments."""
    options: DialectOptions
    """The parts of the dialect that the user fixed."""
    expected: Expectations | None
    """What is known of the table."""
    above: int
    """How many lines are passed over from the start."""
    sep: str = ""
    """The delimiter that the first line names."""
    top: tuple[str, ...] = ()
    """The lines that are passed over from the start."""
    numbers: list[int] = field(default_factory=list)
    """The physical line of each line of the head, from 0."""
    comments: list[str] = field(default_factory=list)
    """The comments among the lines of the head."""

    def lines_above(self, line: int) -> list[str]:
        """The lines above a physical line, without comments.

        :param line: counted from 0.
        """
        head = zip(self.numbers, self.sample.head, strict=True)
        return [text for number, text in head if number < line]

    def explain(self, found: Result) -> None:
        """Adds the evidence, and the lines that are passed over."""
        layout, expected = found.layout, self.expected
        if self.sep:
            found.passed_over.append(PassedOver("sep", 1, 1, f"sep={self.sep}"))
        found.passed_over += self._passed_over(found)
        if expected is not None and layout.header is not None and (found.header or found.names):
            line = self.numbers[layout.scored.head[layout.header].line] + 1
            found.header_fit = header_fit(line, layout.matched, layout.named, expected.table)
        elif layout.data:
            found.evidence.append(
                f"no header: each of the {layout.scored.width - layout.trailing} fields of line"
                f" {found.skip_lines + 1} can be a value of its column"
            )
        if found.trailing:
            found.evidence.append(_empty_at_end(found.trailing))
        if not layout.scored.reading.quote and not layout.scored.reading.text and self.options.quote is None:
            found.evidence.append("a quote is a character like others: quotes enclose no field")
        if layout.scored.reading.escape and not layout.scored.reading.text and self.options.escape is None:
            found.evidence.append("a backslash makes a following quote, delimiter or backslash data, and \\N is NULL")
        if layout.scored.reading.blanks:
            found.evidence.append("blanks follow the delimiters")
        if found.comment and self.options.comment is None:
            found.evidence.append(f"lines that begin with {found.comment} are comments: they have other fields")
        if found.cr:
            found.evidence.append("CR ends the lines")
        if layout.scored.reading.text:
            found.evidence.append("the text format of COPY: fields are \\N, and a backslash begins each escape")
        if self.sample.passed:
            found.evidence.append(f"only the first {self.sample.passed >> 20} MiB were looked at")
        self._look_below(found)

    def _passed_over(self, found: Result) -> Iterator[PassedOver]:
        """The lines above the rows, and the comments, that are no records."""
        above = self.above
        if self.top and not self.sep:
            yield PassedOver("title", 1, len(self.top), first_text(self.top))
        lines = found.skip_lines if found.header_line is None else found.header_line
        if title := first_text(self.lines_above(lines)):
            yield PassedOver("title", above + 1, lines - above, title)
        if found.header_line is not None:
            yield PassedOver("units", found.skip_lines, 1, first_text(self.lines_above(found.skip_lines)[-1:]))
        if self.comments:
            count = len(self.comments) if self.sample.whole else 0
            yield PassedOver("comment", 0, count, self.comments[0])
        if self.options.skip_footer:
            below = [line for line in self.sample.tail if line.strip()][-self.options.skip_footer :]
            yield PassedOver("footer", 0, self.options.skip_footer, first_text(below))

    def _look_below(self, found: Result) -> None:
        """Looks for lines below the rows, and for a row of units below the header."""
        layout, sample = found.layout, self.sample
        if self.options.skip_footer is None:
            below = footer(sample, layout, self.expected)
            if below.sure:
                found.skip_footer = len(below.lines)
                found.passed_over.append(PassedOver("footer", 0, found.skip_footer, below.lines[0]))
            elif below.lines:
                found.warnings.append(doubt(below))
            elif total := total_row(sample, layout):
                found.warnings.append(
                    f"the last line looks like a total: {total}; if it is no row, use --skip-footer 1"
                )
        if layout.header is not None and not found.names and (units := units_line(layout.scored, layout.header)):
            line = self.numbers[units.line] + 1
            names = shlex.quote(",".join(layout.fields))
            found.warnings.append(
                f"line {line} looks like a second header line ({', '.join(units.fields)}); if it is, use --skip-lines"
                f" {line} --no-header --columns {names}"
            )
        if self.options.comment is None and not found.comment and layout.scored.reading.delimiter != COMMENT:
            begin = found.skip_lines - self.above + 1
            marked = [i for i, line in enumerate(sample.head) if i >= begin and line.startswith(COMMENT)]
            if marked and all(is_other(sample.head[i], layout.scored) for i in marked):
                found.warnings.append(
                    f"line {self.numbers[marked[0]] + 1} begins with {COMMENT} and is divided otherwise than the"
                    f" rows; if such lines are comments, use --comment '{COMMENT}'"
                )


def first_text(lines: Sequence[str]) -> str:
    """The first line that is not blank."""
    return next((line for line in lines if line.strip()), "")


def is_other(line: str, found: Scored) -> bool:
    """Whether a line cannot be a record like the others."""
    return all(r.fault or len(r.fields) != found.width for r in found.reading.divide([line]))


def _empty_at_end(delimiters: int) -> str:
    if delimiters == 1:
        return "the delimiter at the end of the records opens no field: it is empty in all of them"
    return f"the {delimiters} delimiters at the end of the records open no fields: these are empty in all of them"
