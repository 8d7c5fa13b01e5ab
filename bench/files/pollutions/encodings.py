"""Pollutions by other line ends and encodings."""

from __future__ import annotations

from bench.files.draft import Draft, pollution
from bench.files.pollutions.common import delimited


@pollution("table", "line ends CRLF")
def crlf(d: Draft) -> None:
    d.style.eol = "\r\n"


@pollution("table", "line ends CR")
def cr(d: Draft) -> None:
    d.style.eol = "\r"
    d.hints.line_ends = True


@pollution("table", "line ends mixed: LF and CRLF")
def mixed_ends(d: Draft) -> None:
    for piece in d.write():
        piece.eol = d.rng.choice(("\n", "\r\n"))


@pollution("table", "no line end at the end of the file")
def no_last_end(d: Draft) -> None:
    d.last_eol = False


@pollution("table", "UTF-8 with a byte order mark")
def utf8_bom(d: Draft) -> None:
    d.encoding = d.hints.encoding = "utf-8-sig"


@pollution("table", "UTF-16 with a byte order mark")
def utf16_bom(d: Draft) -> None:
    d.encoding = d.hints.encoding = "utf-16"


@pollution("table", "UTF-16LE without a mark, delimiter tab")
def utf16le(d: Draft) -> None:
    d.encoding = d.hints.encoding = "utf-16-le"
    delimited(d, "\t")


@pollution("table", "UTF-16BE without a mark")
def utf16be(d: Draft) -> None:
    d.encoding = d.hints.encoding = "utf-16-be"


@pollution("table", "Windows-1252, delimiter ;")
def cp1252(d: Draft) -> None:
    d.values = [[v.replace("Łódź", "Liège") if isinstance(v, str) else v for v in row] for row in d.values]
    d.encoding = d.hints.encoding = "cp1252"
    delimited(d, ";")


def _replaced(d: Draft, words: tuple[str, ...]) -> None:
    """Other words in place of the texts, for encodings of other languages."""
    for row in d.values:
        for i, v in enumerate(row):
            if i and isinstance(v, str) and d.table.columns[i].name != "station_code":
                row[i] = d.rng.choice(words)


@pollution("table", "Windows-1250 (Polish, Czech)")
def cp1250(d: Draft) -> None:
    _replaced(d, ("Łódź, centrum", "Żółta łódź", "Příbram", "Święty Jan", "Ústí nad Labem", "košile", "Gdańsk"))
    d.encoding = d.hints.encoding = "cp1250"


@pollution("table", "Windows-1251 (Russian)")
def cp1251(d: Draft) -> None:
    _replaced(d, ("Москва, центр", "большая книга", "Анна Иванова", "Казань", "старый дом", "Пётр", "доставлено"))
    d.encoding = d.hints.encoding = "cp1251"


@pollution("table", "Shift-JIS (Japanese)")
def shift_jis(d: Draft) -> None:
    _replaced(d, ("東京, 中央", "大阪府", "田中 花子", "配達済み", "札幌市北区", "山田太郎", "古い本", "ソフト能力表"))
    d.encoding = d.hints.encoding = "shift_jis"


@pollution("table", "GB18030 (Chinese)")
def gb18030(d: Draft) -> None:
    _replaced(d, ("北京, 中心", "上海市", "王小明", "已送达", "旧书一本", "广州", "成都高新区"))
    d.encoding = d.hints.encoding = "gb18030"
