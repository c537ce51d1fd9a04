"""Small Excel files, written by hand or kept: no library for writing them is among the dependencies."""

import base64
import io
import zipfile
import zlib
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


def old_excel() -> bytes:
    """A workbook of Excel 97 with the sheets First and People; the second has a number, a text and a date column."""
    return zlib.decompress(base64.b64decode(_OLD_EXCEL))


_OLD_EXCEL = """
eNrtWE1oE0EU/mZ2t/mhP0lthVYopWDV2h7Eg4K0UantqaV68Re0bfYQGpKybcX2oNWaoyB4UrwU6kEPVS/+oIgeBA9CRQ+CIDR69CQoCLZd37zd
jUmM0IAWqvst82b2vTc7L/O9mZ3sq4Xo4uzdxiyK0AUNK3YIFXk6QSXk3URAdttWTa8OUrF9rCuEgkRkhYFHVS8DikPFdxYSd/RnJIEPVE5gFP3p
lNm8htjPMQwKFUOn0Cn3JK5TqUYDx1XLcpjlBpa32fcxy72sucSyk3wXxTEsxPrbdrt5fES2sK2apMB97vOONTtQjxcqj89dFo6vgX1WYjC5zgxN
eiXmQJT2minTUvc1uIEwcJTQ0dfX0d29iDqiew5f7Wbgi7eunzb7+rXVC5D+W6E+8Bt9kEgs1l+ROjAN+5RQyZxBFXbpymKgJ2GNjWcoy78bztoe
MNOjSXMJe3gfDzl7eorKOJUzVCap51hiyqRtYDidTE9YGhAfnCRpmXGyDSUnzLDqyttGpGDbqOLFVEkyjhpuR3lJRSjqpZufX/cNDcROsmaaXxXO
C2Wzih42zqse1LmaLRpL5dvGcjvLC/zUTdxuZFlHv5Lq1oF6t9Ezwz4X2dpK4+xkvIltyWtvpXbm08EHTZmPsW3Unu/NTtXNv43NooUmJU791TWD
dtEurl1VeBjzauFuPe9ZNvyyDQVlxI3ddt+aNVhWC48QZencqdkRrr8o8j8rw6yL8rwqf5GbTeUvS/hL9g+7/s7sq1nskrW4p4y0Kf7EWnCo55hc
rxxqJTnUCzg0cnfS5ctjVCvJ6HGZz6iaeMcmKabTT2SO3+KxHS6Crr9k/1vPHX+NYykcTePRWr0MQKkM8OHDhw8fPnz8lxDuMVtzD2yGexAMuN91
lqms+J9J/lkcQpqucfpLeQApqi1MlpU/G2EI71lilX2874UKh2l0CyMY4jhGys5fOsiL/N+z6o6RP7eEyh1/pZw4//L4PwCySRGs
"""
