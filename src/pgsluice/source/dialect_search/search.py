"""The search: of all readings of a sample the best, whether it is sure, and by what evidence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from pgsluice.model import CandidateDialect, DialectOptions, Format
from pgsluice.source.dialect_search.evidence import COMMENT, Surroundings, first_text, is_other
from pgsluice.source.dialect_search.expectations import Expectations, TextClass
from pgsluice.source.dialect_search.layout import Layout, lay_out, units_line
from pgsluice.source.dialect_search.readings import RUNS, Divided, Reading, delimiters_in, readings
from pgsluice.source.dialect_search.result import Result
from pgsluice.source.dialect_search.sample import Sample, named_delimiter
from pgsluice.source.dialect_search.scoring import Scored, scored

_CLOSE = 0.8
"""A candidate whose score is more than this share of the best score is a rival."""


def search(sample: Sample, options: DialectOptions, expected: Expectations | None, *, tab: bool = False) -> Result:
    """The best reading of a sample.

    :param options: the parts that the user fixed; they are not overridden.
    :param expected: what is known of the table; None if nothing is.
    :param tab: the name of the file says that the tab is the delimiter.
    """
    return _Search(sample, options, expected, tab).result()


class _Search:
    """One search."""

    def __init__(self, sample: Sample, options: DialectOptions, expected: Expectations | None, tab: bool) -> None:
        self._tab = tab
        self._bare: list[Layout] = []
        """The layouts without a quote."""
        above, sep = options.skip_lines or 0, ""
        if sample.head and options.skip_lines is None and (sep := named_delimiter(sample.head[0])):
            above = 1
        rest = replace(sample, head=sample.head[above:])
        numbers = list(range(above, above + len(rest.head)))
        self._around = Surroundings(rest, options, expected, above, sep, sample.head[:above], numbers)
        if options.comment:
            self._drop_comments(options.comment)

    def _drop_comments(self, mark: str) -> None:
        around = self._around
        around.comments = [line for line in around.sample.head if line.startswith(mark)]
        numbered = zip(around.numbers, around.sample.head, strict=True)
        around.numbers = [number for number, line in numbered if not line.startswith(mark)]
        around.sample = _without(around.sample, mark)

    def result(self) -> Result:
        """The best reading with its layout and evidence."""
        ranked = self._ranked(self._around.sample)
        best = ranked[0]
        comment = self._around.options.comment or ""
        if self._around.options.comment is None and self._comments_found(best):
            numbers, sample = self._around.numbers, self._around.sample
            self._drop_comments(COMMENT)
            again = self._ranked(self._around.sample)
            if again[0].value > best.value:
                ranked, best, comment = again, again[0], COMMENT
            else:
                self._around.numbers, self._around.sample, self._around.comments = numbers, sample, []
        found = self._described(best, comment)
        self._around.explain(found)
        self._compare(found, ranked)
        return found

    # ----------------------------------------------------------------------- candidates

    def _ranked(self, sample: Sample) -> list[Layout]:
        """The layouts of all candidates, the best first."""
        layouts = [
            lay_out(self._weighed(scored(sample, reading)), self._around.expected, self._around.options.header)
            for reading in self._candidates(sample)
        ]
        ranked = sorted(layouts, key=lambda layout: -layout.value)
        self._bare = [layout for layout in ranked if not layout.scored.reading.quote and not layout.scored.reading.text]
        return [layout for layout in ranked if self._may_be(layout.scored, ranked)]

    def _may_be(self, found: Scored, ranked: Sequence[Layout]) -> bool:
        """Whether a reading may be taken that stores other texts than COPY would.

        Without a quote: if quotes enclose no field, and are in the way of several; one broken record is rather a
        reject. Without blanks: if they stand in front of quotes, or behind each delimiter.
        """
        reading, options = found.reading, self._around.options
        by_reading = {r.scored.reading: r.scored for r in ranked}
        if reading.blanks and options.skip_initial_blanks is None:
            plain = by_reading.get(replace(reading, blanks=False))
            if plain is not None and plain.left <= found.left and not _blanks_everywhere(plain):
                return False
        if reading.quote or reading.text or options.quote == "":
            return True
        quoted = by_reading.get(replace(reading, quote='"'))
        return quoted is None or (not quoted.enclosed and quoted.faults + quoted.swallowed > 1)

    def _weighed(self, found: Scored) -> Scored:
        if self._tab and found.reading.delimiter == "\t":
            found.score *= 1.5
        return found

    def _candidates(self, sample: Sample) -> list[Reading]:
        options = self._around.options
        lines = [line for line in sample.head if line.strip()][:200]
        fixed = options.delimiter
        if fixed is not None:
            delimiters = [RUNS if fixed == "blanks" else fixed]
        elif self._around.sep:
            delimiters = [self._around.sep]
        else:
            delimiters = delimiters_in(lines)
            default = "\t" if self._tab else ","
            delimiters = [*delimiters, *([default] if default not in delimiters else [])]
        quotes = None if options.quote is None else [options.quote]
        found = readings(lines, delimiters, quotes, options.escape)
        if options.skip_initial_blanks is not None:
            found = list(dict.fromkeys(replace(r, blanks=options.skip_initial_blanks) for r in found))
        free = options.quote is None and options.escape is None and options.format is not Format.CSV
        if fixed in (None, "\t") and free and _is_text_format(lines):
            found.append(Reading("\t", "", "\\", text=True))
        return found

    def _comments_found(self, best: Layout) -> bool:
        """Whether lines that begin with the comment sign stand between the records, and cannot be records.

        Above the header they are passed over like titles. A column of texts may hold such a line's beginning.
        """
        if best.scored.reading.delimiter == COMMENT:
            return False
        marked = [line for line in self._around.sample.head if line.startswith(COMMENT)]
        if not marked or (best.header is not None and best.header_line > 0 and _first_field(best).startswith(COMMENT)):
            return False
        if self._around.expected is not None:
            column = next(iter(self._around.expected.columns_of(best.fields[:1])), None)
            first = self._around.expected.column(column) if column else None
            if first is None or first.kind is TextClass.TEXT:
                return False
        return all(is_other(line, best.scored) for line in marked)

    # ----------------------------------------------------------------------- the result

    def _described(self, best: Layout, comment: str) -> Result:
        """The result without its evidence."""
        reading, head = best.scored.reading, best.scored.head
        options = self._around.options
        start = best.header
        if start is None:
            start = best.scored.first if best.data else 0
        line = self._around.numbers[head[start].line] if head else self._around.above
        above = self._around.above
        if options.skip_lines is None and self._titles(best, line):
            above = line
        header = options.header if options.header is not None else not best.data
        found = Result(reading, best, header, above, comment=comment, cr=self._around.sample.cr)
        units = self._units(best)
        if units is not None and best.header is not None:
            found.header_line, found.skip_lines = line, self._around.numbers[units.line] + 1
            found.header, found.names = False, best.fields[: len(best.fields) - best.trailing_names]
        told = options.trailing_delimiter
        found.trailing = best.trailing if told is None else max(1, best.trailing) if told else 0
        return found

    def _units(self, best: Layout) -> Divided | None:
        """The record of units below the header, if it is no row for certain: a typed column cannot hold its unit."""
        if best.header is None or not best.complete or self._around.expected is None:
            return None
        if (
            self._around.options.header is not None
            or self._around.options.skip_lines is not None
            or self._around.comments
        ):
            return None
        units = units_line(best.scored, best.header)
        columns = [self._around.expected.column(name or "") for name in self._around.expected.columns_of(best.fields)]
        if units is None or units.lines > 1:
            return None
        held = [c.can_hold(text) for c, text in zip(columns, units.fields, strict=False) if c is not None]
        return None if all(held) else units

    def _titles(self, best: Layout, line: int) -> bool:
        """Whether the lines above a header are passed over: with a table, if the fields of the header are columns."""
        if not first_text(self._around.lines_above(line)):
            # Blank lines are no records anyway.
            return False
        if self._around.expected is None:
            return best.scored.evenness > 0.5 and best.scored.width > 1
        return best.header is not None and (best.complete or best.matched > 1)

    def _compare(self, found: Result, ranked: Sequence[Layout]) -> None:
        """Compares the best candidate with the others, and says what does not decide between them."""
        best = ranked[0]
        rivals = [
            other
            for other in ranked[1:]
            if other.value >= _CLOSE * best.value and not _same_rows(best.scored, other.scored)
        ]
        if best.header is not None and best.complete:
            rivals = [r for r in rivals if r.complete and r.matched >= best.matched]
        same = [r for r in rivals if r.scored.reading.delimiter == best.scored.reading.delimiter]
        quotes = self._quote_rival(best, self._bare)
        text = next((r for r in ranked if r.scored.reading.text), None)
        asked = self._around.options.format is None and "\\N" not in self._around.options.null
        if asked and text is not None and not best.scored.reading.text:
            # A header is rare in the text format, but few other programs write such fields.
            begin = next((r.line for r in best.scored.head if "\\N" in r.fields), None)
            found.candidates = [self._candidate(layout, "format", begin) for layout in (best, text)]
        elif quotes is not None:
            begin = next(r.line for r in best.scored.head if r.lines > 1)
            found.candidates = [self._candidate(layout, "quote", begin) for layout in (best, quotes)]
        elif best.header is None and not best.data and len(rivals) > len(same):
            others = {r.scored.reading.delimiter: r for r in reversed(rivals) if r not in same}
            found.candidates = [self._candidate(r, "delimiter") for r in (best, *others.values())][:4]
        found.sure = not found.candidates
        if best.scored.swallowed and found.sure:
            spanning = next(r for r in best.scored.head if r.lines > 1)
            line = self._around.numbers[spanning.line] + 1
            found.of_quotes = (
                f"the quoted field on line {line} spans {spanning.lines} lines and holds delimiters; if a quote is a"
                " character like others in this file, use --quote none"
            )
            found.warnings.append(found.of_quotes)

    def _quote_rival(self, best: Layout, bare: Sequence[Layout]) -> Layout | None:
        """The reading without a quote, if it explains lines that the best reading takes into one quoted field."""
        mine = best.scored
        if self._around.options.quote is not None or not 0 < mine.enclosed <= 2 * mine.swallowed:
            return None
        rival = next((r for r in bare if r.scored.reading == replace(mine.reading, quote="")), None)
        return rival if rival is not None and rival.scored.evenness >= 0.95 else None

    def _candidate(self, layout: Layout, about: str, line: int | None = None) -> CandidateDialect:
        """A candidate with a record as it divides the file.

        :param about: which option tells the candidates apart.
        :param line: the line among the lines of the head that is shown; None for the second record.
        """
        reading = layout.scored.reading
        records = layout.scored.alike or layout.scored.head
        shown = records[min(1, len(records) - 1)]
        if line is not None:
            shown = next((r for r in layout.scored.head if r.line == line), shown)
        option = f"--quote {shlex.quote(reading.quote or 'none')}"
        if about == "format":
            option = f"--format text{' --header' * (layout.header is not None)}" if reading.text else "--format csv"
        if about == "delimiter":
            spelled = "blanks" if reading.delimiter == RUNS else spelled_delimiter(reading.delimiter)
            option = f"--delimiter {shlex.quote(spelled)}"
        return CandidateDialect(option, self._around.numbers[shown.line] + 1, tuple(shown.fields))


def spelled_delimiter(delimiter: str) -> str:
    """The delimiter as ``--delimiter`` takes it: signs that a shell passes badly as escapes."""
    return "".join({"\t": "\\t"}.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in delimiter)


def _first_field(layout: Layout) -> str:
    return layout.fields[0] if layout.fields else ""


def _without(sample: Sample, mark: str) -> Sample:
    """The sample without the lines that begin with a mark."""

    def kept(lines: Sequence[str]) -> tuple[str, ...]:
        return tuple(line for line in lines if not line.startswith(mark))

    return replace(sample, head=kept(sample.head), parts=tuple(map(kept, sample.parts)), tail=kept(sample.tail))


def _blanks_everywhere(found: Scored) -> bool:
    """Whether nearly every field behind a delimiter begins with a blank."""
    cells = [cell for record in found.alike for cell in record.fields[1:] if cell]
    return bool(cells) and sum(cell[0] == " " for cell in cells) >= 0.9 * len(cells)


def _same_rows(one: Scored, other: Scored) -> bool:
    """Whether two readings divide the beginning of the file alike."""
    return [r.fields for r in one.head[:100]] == [r.fields for r in other.head[:100]]


_ESCAPES = re.compile(r"\\(?:[Nbfnrtv\\.]|[0-7]{1,3}|x[0-9a-fA-F]{1,2})")


def _is_text_format(lines: Sequence[str]) -> bool:
    """Whether lines are what COPY TO writes in its text format: tabs, fields that are ``\\N``, no other backslash than
    those of escapes.
    """
    fields = [field for line in lines for field in line.split("\t")]
    if "\\N" not in fields or not all("\t" in line for line in lines):
        return False
    return not any("\\" in _ESCAPES.sub("", f) for f in fields)
