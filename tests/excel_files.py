"""Small .xlsx files, written by hand: no library for writing them is among the dependencies."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml"
 ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def excel(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """A workbook of text cells."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        names = "".join(
            f'<sheet name="{escape(name)}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(sheets, 1)
        )
        workbook = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", workbook)
        targets = [(f"rId{at}", "worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(sheets) + 1)]
        archive.writestr("xl/_rels/workbook.xml.rels", _relations(targets))
        for at, rows in enumerate(sheets.values(), 1):
            archive.writestr(f"xl/worksheets/sheet{at}.xml", _sheet(rows))
    return buffer.getvalue()


def _relations(targets: Sequence[tuple[str, str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for name, kind, target in targets
    )
    return f'<Relationships xmlns="{_PACKAGE}">{entries}</Relationships>'


def _sheet(rows: Sequence[Sequence[str]]) -> str:
    lines = "".join(
        f'<row r="{line}">'
        + "".join(
            f'<c r="{chr(64 + column)}{line}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
            for column, cell in enumerate(row, 1)
            if cell
        )
        + "</row>"
        for line, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{lines}</sheetData></worksheet>'
