"""Writes the first inputs of the fuzzer: small files of every kind. ``python -m fuzz.seeds FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from fuzz.options import CHOICES

FILES: tuple[bytes, ...] = (
    b"a,b,c\n1,2,3\n4,5,6\n",
    b'a,b\n1,"x, y"\n2,"a ""b"" c"\n3,"two\nlines"\n',
    b"a;b;c\n1;2,5;x\n2;3,5;y\n",
    b"sep=;\na;b\n1;2\n",
    b'a\tb\n1\t5" pipe\n2\t"x\n',
    b"'a','b'\n'1','it''s'\n",
    b"Title\n\nname,day,amount\nx,2024-01-31,1.5\ny,2024-02-01,2.5\nTotal,,4.0\n",
    b"# comment\na,b\n1,2\n# more\n3,4\n",
    b"a,b,\n1,2,\n3,4,\n",
    b"1|2|x|\n3|4|y|\n",
    b"a||b||c\n1||2||3\n",
    b"a\x01b\n1\x012\n",
    b"a b  c\n1 2  3\n",
    b'a, b\n1, "x, y"\n2, z\n',
    b'a,b\n1,"x \\"y\\" z"\n2,\\N\n',
    b"a,b\r\n1,2\r\n\r\n3,4",
    b"a,b\r1,2\r3,4\r",
    b"\xef\xbb\xbfa,b\n1,2\n",
    "a,b\n1,é\n".encode("utf-16"),
    "a,b\n1,é\n".encode("utf-16-le"),
    "a,b\n1,Café\n2,Größe\n".encode("cp1252"),
    b"a,b\n1,\0x\n",
    b"a,b\n1\n1,2,3\n,,,,\n",
    b'a,b\n1,"open\n2,3\n',
    b'a,b\n1,"x"y\n2,""z""\n',
    b"id,day\n1,01/02/2024\n2,31/12/2024\n",
    b'id,amount\n1,"1,234.50"\n2,-5%\n3,$7\n',
    b"\n\n\n",
    b",,,\n,,,\n",
    b"a\n1\n\n2\n",
    b'{"a": 1}\n{"a": 2}\n',
    b"PK\x03\x04",
    b"\x1f\x8b\x08\x00",
    b"PAR1",
)

WORDS = (
    '","',
    '";"',
    '"\\x09"',
    '"|"',
    '"||"',
    '"\\x22"',
    '"\\x22\\x22"',
    '"\'"',
    '"\\\\"',
    '"\\\\N"',
    '"\\x0a"',
    '"\\x0d\\x0a"',
    '"\\x0d"',
    '"#"',
    '"sep="',
    '"\\x00"',
    '"\\xef\\xbb\\xbf"',
    '"\\xff\\xfe"',
    '"\\x01"',
    '", \\x22"',
    '"\\x22,\\x22"',
    '"\\x22\\x0a"',
    '"2024-01-31"',
    '"31.12.2024"',
    '"1.234,50"',
    '"NULL"',
    '"\\\\."',
    '"\\xc3\\xa9"',
    '"\\xe9"',
)
"""Words that libFuzzer inserts, in the form of its dictionaries."""


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(FILES):
        (folder / f"seed-{number}").write_bytes(b"\0" + data)
    for number, _ in enumerate(CHOICES):
        for data in FILES[number % 3 :: 3]:
            (folder / f"seed-{number}-{len(data)}").write_bytes(bytes([0x80 + number]) + data)
    (folder.parent / "words.dict").write_text("\n".join(WORDS) + "\n")


if __name__ == "__main__":
    main()
