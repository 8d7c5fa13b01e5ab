"""Encodings: found where they are certain, asked for where they are not; no file is read in a wrong one in silence."""

from __future__ import annotations

import gzip
import re
import shlex
from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import CallError, FileError
from pgsluice.model import DialectOptions, SourceFile
from pgsluice.options import build_options
from pgsluice.report.console import run_parts
from pgsluice.report.texts.plan_text import plan_parts
from pgsluice.source.blocks import BlockReader
from pgsluice.source.discover import discover
from pgsluice.source.encodings.readings import certain_reading, plausible_readings
from pgsluice.source.encodings.survey import survey

WORDS = {
    "fr": "Café|d’Or|Orléans|hôtel de ville|français|à la carte|Île-de-France|œuvre",
    "de": "Müller|Straße|Köln|Äpfel|Jörg Größe|München|Düsseldorf|Gebäude",
    "es": "España|Peña|Cádiz|ñandú|Málaga|Avenida de la Constitución",
    "tr": "İstanbul|şeker|ğüzel|ıspanak|çağrı|Beyoğlu|Üsküdar",
    "pl": "Łódź|Kraków|Wrocław|Gdańsk|żółw|święto|część",
    "cs": "Příliš žluťoučký kůň|Plzeň|České Budějovice|ústí",
    "ru": "Москва|Санкт-Петербург|Екатеринбург|улица Ленина|Ярославль|население",
    "el": "Αθήνα|Θεσσαλονίκη|Πάτρα|οδός Ερμού",
    "ja": "東京|大阪市|ノート|インターネット株式会社|ありがとう|北海道札幌市中央区|表示",
    "zh": "北京市|上海|联通|中华人民共和国|有限公司|客户名称",
    "tw": "臺北市|高雄|中華民國|有限公司|客戶名稱",
    "ko": "서울특별시|부산광역시|주식회사|고객 이름",
    "he": "ירושלים|תל אביב|חיפה",
    "ar": "القاهرة|الرياض|دبي",
}
CODECS = {
    "fr": "cp1252 iso8859-1 iso8859-15 mac-roman cp850",
    "de": "cp1252 iso8859-1 iso8859-15 mac-roman cp850 cp437",
    "es": "cp1252 iso8859-1 cp850",
    "tr": "cp1254",
    "pl": "cp1250 iso8859-2 cp852",
    "cs": "cp1250 iso8859-2 cp852",
    "ru": "cp1251 koi8-r cp866 iso8859-5 mac-cyrillic",
    "el": "cp1253 iso8859-7",
    "ja": "cp932 shift_jis euc_jp",
    "zh": "gb18030 gbk",
    "tw": "big5",
    "ko": "cp949 euc_kr",
    "he": "cp1255",
    "ar": "cp1256",
}
CASES = [(language, codec) for language, codecs in CODECS.items() for codec in codecs.split()]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def found(path: Path, **options: object) -> SourceFile:
    (file,) = discover([str(path)], build_options(**options).dialect).files  # type: ignore[arg-type]
    return file


def values(file: SourceFile) -> str:
    reader = BlockReader(file, file.header)
    try:
        return b"".join(block.data for block in reader).decode()
    finally:
        reader.close()


@pytest.mark.parametrize(("language", "codec"), CASES)
@pytest.mark.parametrize("repeated", [1, 50])
def test_no_reading_is_certain_and_wrong(language: str, codec: str, repeated: int) -> None:
    words = [w for w in WORDS[language].split("|") if w.encode(codec, "ignore").decode(codec) == w]
    for some in [words, *([w] for w in words)]:
        data = "\n".join(some * repeated).encode(codec)
        parts = iter([data])
        seen = survey(lambda _, parts=parts: next(parts, b""))  # type: ignore[misc]
        certain = certain_reading(plausible_readings(seen.texts, seen.bytes_found), seen.bytes_found)
        if certain is not None:
            assert data.decode(certain.encoding) == data.decode(codec), (some, certain.encoding)


@pytest.mark.parametrize(
    ("language", "codec", "expected"),
    [
        ("de", "cp1252", "cp1252"),
        ("de", "iso8859-1", "cp1252"),
        ("cs", "cp1250", "cp1250"),
        ("ja", "shift_jis", "cp932"),
    ],
)
def test_certain(tmp_path: Path, language: str, codec: str, expected: str) -> None:
    words = WORDS[language].split("|")
    text = "id,name\n" + "".join(f"{i},{words[i % len(words)]}\n" for i in range(300))
    path = write(tmp_path / "x.csv", text, codec)
    file = found(path)
    assert file.dialect.encoding == expected
    assert re.fullmatch(rf"{expected}, by its characters \(confidence [0-9]+ %\)", file.notes[0])
    assert values(file) == text.removeprefix("id,name\n")
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert values(found(packed)) == text.removeprefix("id,name\n")


FRENCH = (
    "Café|Orléans|hôtel de ville|français|à la carte|élève|forêt|déjà|très près|où|Noël|reçu à Genève|bâtiment|maïs"
    "|connaître|dîner|août|événement|première|problème|mère|fenêtre|créé|privée|société|général|été"
)
"""Enough letters to tell French from words of no language."""


@pytest.mark.parametrize(
    ("words", "codec", "expected"),
    [
        (FRENCH, "cp1252", "cp1252"),
        (f"{WORDS['pl']}|Żółta łódź|ćma|Białystok|gęś|źródło|mąż", "cp1250", "cp1250"),
        ("Москва, центр|большая книга|Анна Иванова|Казань|старый дом|Пётр|доставлено", "cp1251", "cp1251"),
        (WORDS["ru"], "cp866", "cp866"),
        # Words of two languages: no alphabet has their letters.
        ("Łódź|Żółta|Příbram|Święty|Ústí|řeka|košile|Gdańsk|Škoda|žlutý kůň|żółw", "cp1250", None),
        ("Łódź|Kraków|Wrocław", "cp1250", None),
        # The letters of Hungarian without ő and ű are those of Portuguese.
        ("árvíz|tükör|fúró|öröm|év|ír|óra|út|ünnep|méz|őr|tűz|kő|fű", "cp1250", None),
        # Shift-JIS reads these words as half-width katakana.
        ("Україна|Львів|її", "koi8-u", None),
    ],
)
def test_letters_of_a_language_decide(words: str, codec: str, expected: str | None) -> None:
    texts = [word.encode(codec) for word in words.split("|")]
    bytes_found = {byte for text in texts for byte in text if byte > 127}
    certain = certain_reading(plausible_readings(texts, bytes_found), bytes_found)
    assert (certain and certain.encoding) == expected


def test_a_later_byte_that_two_readings_read_differently_makes_it_uncertain(tmp_path: Path) -> None:
    # ñ of cp1252 is ń in cp1250, and no sample holds it.
    line = WORDS["de"].replace("|", ",") + "\n"
    text = "a,b,c,d,e,f,g,h\n" + line * 20_000
    assert found(write(tmp_path / "x.csv", text, "cp1252")).dialect.encoding == "cp1252"
    later = text[:600_000] + "\nPeña,b,c,d,e,f,g,h\n" + line * 20_000
    with pytest.raises(
        FileError, match=r"its encoding is not certain: a text is .*Peña.* in cp1252, .*Peńa.* in cp1250"
    ):
        found(write(tmp_path / "x.csv", later, "cp1252"))


def test_uncertain_shows_the_readings_and_each_option_works(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,name\n1,España\n2,Peña\n", "cp1252")
    with pytest.raises(FileError) as caught:
        found(path)
    assert "x.csv: not UTF-8 (lines 2, 3), and its encoding is not certain: a text is " in caught.value.message
    named = re.findall(r"--encoding (\S+?)[,;] ", caught.value.remedy)
    assert "x.csv=cp1252" in named
    for option in named:
        (text,) = shlex.split(option)
        encoding = text.partition("=")[2]
        shown = re.search(rf"'([^']+)' in {re.escape(encoding)}", caught.value.message)
        assert shown is not None
        assert shown[1] in values(found(path, encoding=[text]))
    assert [len(b.faults) for b in BlockReader(found(path, encoding=["x.csv=utf-8"]), ("a", "b"))] == [2]


@pytest.mark.parametrize("place", ["beginning", "middle", "end"])
def test_samples(tmp_path: Path, place: str) -> None:
    line = "1,abc\n"
    lines = [line] * 200_000
    lines[{"beginning": 1, "middle": 100_000, "end": -1}[place]] = "1,é\n"
    path = write(tmp_path / "x.csv", "id,name\n" + "".join(lines), "cp1252")
    with pytest.raises(FileError, match=r"not UTF-8 .line [0-9,]+., and its encoding"):
        found(path)


def test_characters_at_the_ends_of_samples_are_no_errors(tmp_path: Path) -> None:
    for shift in range(4):
        path = write(tmp_path / "x.csv", "a,b\n" + "x" * shift + ("1,€\n" * 2 + "2,𝄞\n") * 90_000)
        file = found(path)
        assert (file.dialect.encoding, file.notes) == ("utf-8", ())


def test_mixed_files_say_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,name\n1,Caf\xc3\xa9\n2,Caf\xe9\n3,M\xc3\xbcller\n")
    file = found(path)
    assert (file.dialect.encoding, file.notes) == ("utf-8", ("not UTF-8 in line 3",))
    with pytest.raises(FileError, match=r"two encodings: lines 2, 4 have .*'CafÃ©' in cp1252\), line 3 has others"):
        found(path, encoding="cp1252")
    assert "CafÃ©" in values(found(path, encoding=["x.csv=cp1252"]))


def test_an_encoding_for_all_files_is_refused_by_a_file_in_utf8(tmp_path: Path) -> None:
    write(tmp_path / "old.csv", "id,name\n1,Café\n", "cp1252")
    write(tmp_path / "new.csv", "id,name\n1,Café\n")
    write(tmp_path / "plain.csv", "id,name\n1,Cafe\n")
    with pytest.raises(FileError, match=r"new.csv: the file is UTF-8 \('Café' in UTF-8, 'CafÃ©' in cp1252\)"):
        discover([str(tmp_path)], DialectOptions(encoding="cp1252"))
    files = discover([str(tmp_path)], DialectOptions(encodings=(("old*", "cp1252"),))).files
    assert [(Path(f.path).name, f.dialect.encoding) for f in files] == [
        ("new.csv", "utf-8"),
        ("old.csv", "cp1252"),
        ("plain.csv", "utf-8"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", ["id,name\n1,Peña\n", "id,name\r\n1,東京\r\n" * 99, "id,n"])
def test_wide_encodings_with_and_without_mark(tmp_path: Path, encoding: str, text: str) -> None:
    file = found(write(tmp_path / "x.csv", text, encoding))
    assert file.dialect.encoding == encoding
    marked = found(write(tmp_path / "y.csv", ("" if encoding in ("utf-16", "utf-32") else "\ufeff") + text, encoding))
    assert marked.dialect.encoding == encoding[:6]
    if "\n" in text:
        assert [b.count for b in BlockReader(file, file.header)] == [text.count("\n") - 1]
        assert values(file) == values(marked)


@pytest.mark.parametrize(
    "data", [b"a,b\n1,x\0y\n", b"a,b\n1,\0\0\0\0\0\0\0\0\0\0\n", b"a,b\n\0\n\0\n", b"a,b\n1,2\n\0"]
)
def test_nul_bytes_are_no_utf16(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    assert found(path).dialect.encoding == "utf-8"


def test_iso_2022_jp(tmp_path: Path) -> None:
    text = "id,name\n1,東京\n2,ノート\n"
    file = found(write(tmp_path / "x.csv", text, "iso2022_jp"))
    assert file.notes == ("iso2022_jp, by its escape sequences",)
    assert values(file) == text.removeprefix("id,name\n")


def test_binary(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,name\n1,\x81\x8d\x8f\x90\x9d\xff\xfe\xa0\xa1\xff\xff\n" * 20)
    with pytest.raises(FileError, match="not UTF-8"):
        found(path)


def test_unknown_names() -> None:
    for wrong in ("nonsense", "base64", ["x.csv=nonsense"]):
        with pytest.raises(CallError, match=r"encoding .* is unknown"):
            build_options(encoding=wrong)
    assert build_options(encoding="UTF-8-SIG").dialect.encoding == "utf-8"
    with pytest.raises(CallError, match="neither reject nor strip"):
        build_options(nul="remove")


def test_load_names_what_was_found_and_what_was_removed(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
    words = WORDS["de"].split("|")
    write(tmp_path / "t_1.csv", "id,name\n" + "".join(f"{i},{words[i % 8]}\n" for i in range(99)), "cp1252")
    (tmp_path / "t_2.csv").write_bytes(b"id,name\n200,x\0y\n201,\0\n202,plain\n")
    plan = "\n".join(str(getattr(p, "text", "")) for p in plan_parts(pgsluice.plan(tmp_path, database_url=db)))
    assert "t_1.csv: cp1252, by its characters (confidence 100 %)." in plan
    vetoed = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"))
    assert vetoed.status == "vetoed"
    (remedy,) = vetoed.rejects.remedies
    assert remedy.startswith("2 rejected records: NUL bytes")
    assert "--nul strip" in remedy
    result = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"), nul="strip")
    assert result.status == "published"
    summary = "\n".join(str(getattr(p, "text", "")) for p in run_parts(result))
    assert "t_1.csv: cp1252, by its characters (confidence 100 %)." in summary
    assert "t_2.csv: 2 NUL bytes removed." in summary
    assert conn.execute("SELECT name FROM t WHERE id IN (0, 200, 201) ORDER BY id").fetchall() == [
        ("Müller",),
        ("xy",),
        (None,),
    ]


def test_rejects_show_the_decoded_text(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int, name text)")
    write(tmp_path / "t.csv", "id,name\n1,Peña\nx\0,Peña\n", "utf-16-le")
    result = pgsluice.load(
        tmp_path, database_url=db, data_dir=str(tmp_path / "d"), max_rejects="all", encoding="utf-16le", nul="strip"
    )
    (row,) = conn.execute("SELECT line, raw FROM pgsluice.reject WHERE run_id = %s", (result.run_id,)).fetchall()
    assert row == (3, "x,Peña")


def test_bytes_that_are_not_utf8_have_a_remedy(conn: psycopg.Connection, db: str, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int, name text)")
    # The samples see UTF-8; what is not lies between them.
    lines = [b"1,abcdefghij\n"] * 200_000
    lines[70_000] = b"1,Caf\xe9\n"
    (tmp_path / "t.csv").write_bytes(b"id,name\n" + b"".join(lines))
    result = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path / "d"))
    assert result.status == "vetoed"
    assert "t.csv:70002: invalid byte sequence" in result.rejects.groups[0].example
    (remedy,) = result.rejects.remedies
    assert remedy.startswith("1 rejected record: not UTF-8.")
    assert "--encoding 'GLOB=cp1252'" in remedy
