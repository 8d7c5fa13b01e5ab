"""Situations: folders of files, and files in containers."""

from __future__ import annotations

import gzip
import io
import zipfile

from bench.files.situations.model import REFUSED, File, Situation, one, table

_CUSTOMERS = table("customers", "id int PRIMARY KEY", "name text NOT NULL")
_ORDERS = table(
    "orders",
    "id int PRIMARY KEY",
    "customer_id int NOT NULL REFERENCES customers",
    "total decimal",
    "state text NOT NULL DEFAULT 'new'",
    after="customers",
)
_C = File("customers.csv", b"id,name\n1,Ana\n2,Lee\n", _CUSTOMERS, ("1¦Ana", "2¦Lee"))
_O = b"id,customer_id,total,state\n10,2,5.50,paid\n11,1,7.25,open\n"
_O_ROWS = ("10¦2¦5.50¦paid", "11¦1¦7.25¦open")


def _zipped(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return made.getvalue()


def _workbook() -> bytes:
    """The smallest Excel workbook: one sheet ``customers``."""
    head = '<?xml version="1.0"?>'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def text(cell: str) -> str:
        return f'<c t="inlineStr"><is><t>{cell}</t></is></c>'

    rows = "".join(
        f"<row>{''.join(cells)}</row>"
        for cells in (
            (text("id"), text("name")),
            ("<c><v>1</v></c>", text("Ana")),
            ("<c><v>2</v></c>", text("Lee")),
        )
    )
    return _zipped(
        (
            "[Content_Types].xml",
            (
                f'{head}<Types xmlns="{package}/content-types">'
                '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
                f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>'
            ).encode(),
        ),
        (
            "_rels/.rels",
            f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>'.encode(),
        ),
        (
            "xl/workbook.xml",
            f'{head}<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="customers" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>".encode(),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet"'
            ' Target="worksheets/sheet1.xml"/></Relationships>'.encode(),
        ),
        (
            "xl/worksheets/sheet1.xml",
            f'{head}<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'.encode(),
        ),
    )


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "name": ["Ana", "Lee"]}), made)
    return made.getvalue()


def sets() -> tuple[Situation, ...]:
    """The situations of this module."""
    lines = b'{"id": 1, "name": "Ana"}\n{"id": 2, "name": "Lee"}\n'
    people = ("1¦Ana", "2¦Lee")
    return (
        Situation("parent-and-child", "Two tables with a foreign key", (_C, File("orders.csv", _O, _ORDERS, _O_ROWS))),
        Situation(
            "orphan",
            "An order of a customer that does not exist; it is not to be loaded",
            (_C, File("orders.csv", b"id,customer_id,total,state\n10,2,5.50,paid\n11,7,7.25,open\n", _ORDERS)),
            REFUSED,
            needs_table=True,
        ),
        Situation(
            "parts-and-copies",
            "Files of one table: orders_01.csv and orders (1).csv",
            (
                _C,
                File("orders_01.csv", b"id,customer_id,total,state\n10,2,5.50,paid\n", _ORDERS, _O_ROWS[:1]),
                File("orders (1).csv", b"id,customer_id,total,state\n11,1,7.25,open\n", _ORDERS, _O_ROWS[1:]),
            ),
        ),
        Situation(
            "parts-with-other-columns",
            "A later file of one table has a further column; the earlier rows get the default",
            (
                _C,
                File("orders_01.csv", b"id,customer_id,total\n10,2,5.50\n", _ORDERS, ("10¦2¦5.50¦new",)),
                File("orders_02.csv", b"id,customer_id,total,state\n11,1,7.25,open\n", _ORDERS, _O_ROWS[1:]),
            ),
            needs_table=True,
        ),
        Situation(
            "empty-means-default",
            "An empty field of a column that has a default",
            (
                _C,
                File(
                    "orders.csv",
                    b"id,customer_id,total,state\n10,2,5.50,\n11,1,7.25,open\n",
                    _ORDERS,
                    ("10¦2¦5.50¦new", "11¦1¦7.25¦open"),
                ),
            ),
            needs_table=True,
            options={"pgsluice": "--default-on-empty state", "copy": "DEFAULT ''"},
        ),
        one("gzip", "gzip", gzip.compress(_C.data, mtime=0), _CUSTOMERS, people, file="customers.csv.gz"),
        one(
            "zip",
            "A zip archive with one CSV file",
            _zipped(("customers.csv", _C.data)),
            _CUSTOMERS,
            people,
            file="customers.zip",
        ),
        Situation(
            "excel",
            "An Excel workbook",
            (File("customers.xlsx", _workbook(), _CUSTOMERS, people),),
            others={"duckdb": "`read_xlsx`", "pandas": "`read_excel`", "csvsql": "`in2csv`"},
        ),
        Situation(
            "parquet",
            "A Parquet file",
            (File("customers.parquet", _parquet(), _CUSTOMERS, people),),
            others={"duckdb": "`read_parquet`", "pandas": "`read_parquet`"},
        ),
        Situation(
            "json-lines",
            "JSON Lines",
            (File("customers.jsonl", lines, _CUSTOMERS, people),),
            others={"duckdb": "`read_json`", "pandas": "`read_json`", "csvsql": "`in2csv`"},
        ),
        one("zero-bytes", "A file of zero bytes; it is not to be loaded without a word", b"", _CUSTOMERS, end=REFUSED),
        one("header-alone", "A header and no record", b"id,name\n", _CUSTOMERS, ()),
    )
