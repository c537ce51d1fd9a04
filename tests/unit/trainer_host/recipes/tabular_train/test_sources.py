"""Other formats than CSV; the rules of CSV are tested with `headway.contract.csv_tables`."""

import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from headway.contract.errors import InvalidTable
from tests.excel_files import old_excel
from trainer_host.recipes.tabular_train.sources import open_source, text_of

SHEET = """<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"""
WORKBOOK = """<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"
 xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{sheets}</sheets></workbook>"""
RELATIONSHIPS = (
    """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{targets}</Relationships>"""
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/></Types>"""


def write_xlsx(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    """The smallest workbook that spreadsheet programs open."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        root = f'<Relationship Id="r0" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", RELATIONSHIPS.format(targets=root))
        names, targets = [], []
        for number, (name, rows) in enumerate(sheets.items(), start=1):
            names.append(f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>')
            part = f"worksheets/s{number}.xml"
            targets.append(f'<Relationship Id="r{number}" Type="{OFFICE}/worksheet" Target="{part}"/>')
            cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            archive.writestr(f"xl/{part}", SHEET.format(rows=cells))
        archive.writestr("xl/workbook.xml", WORKBOOK.format(sheets="".join(names)))
        archive.writestr("xl/_rels/workbook.xml.rels", RELATIONSHIPS.format(targets="".join(targets)))
    return path


def _cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, int | float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def test_parquet_is_read_as_text_with_iso_dates(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1.5, None], "t": ["a", None], "b": [True, False], "d": [date(2023, 1, 31), None]})
    frame.write_parquet(tmp_path / "table.parquet")

    source = open_source(tmp_path / "table.parquet", "parquet")

    assert source.columns == ("n", "t", "b", "d")
    assert [list(row) for row in source.rows()] == [["1.5", "a", "true", "2023-01-31"], ["", "", "false", ""]]
    assert len(list(source.rows())) == 2, "a source can be read more than once"


def test_the_first_sheet_or_the_one_named_is_read(tmp_path: Path) -> None:
    sheets: dict[str, list[list[object]]] = {
        "People": [["age", "name"], [30, "Ann"], [None, "Bob"]],
        "Other": [["x", "y"], [1, 2]],
    }
    path = write_xlsx(tmp_path / "book.xlsx", sheets)

    people, other = open_source(path, "xlsx"), open_source(path, "XLSX", "Other")

    assert people.columns == ("age", "name")
    assert [row[1] for row in people.rows()] == ["Ann", "Bob"]
    assert float(next(people.rows())[0]) == 30
    assert other.columns == ("x", "y")


def test_an_old_workbook_is_read_with_its_dates(tmp_path: Path) -> None:
    path = tmp_path / "book.xls"
    path.write_bytes(old_excel())

    first, people = open_source(path, "xls"), open_source(path, "xls", "People")

    assert first.columns == ("n", "t")
    assert people.columns == ("size", "colour", "day")
    assert [list(row) for row in people.rows()] == [
        ["1.5", "red", "2023-01-31T00:00:00"],
        ["", "blue", "2024-05-06T00:00:00"],
        ["9.0", "", ""],
    ]


def test_a_file_that_claims_more_cells_than_memory_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pl.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}).write_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr("trainer_host.recipes.tabular_train.sources.CELLS_MAX", 5)
    with pytest.raises(InvalidTable, match="3 rows of 2 columns"):
        open_source(tmp_path / "t.parquet", "parquet")


def test_a_file_that_is_damaged_behind_its_beginning_is_refused_without_its_path(tmp_path: Path) -> None:
    path = tmp_path / "private-name.parquet"
    pl.DataFrame({"a": list(range(5000))}).write_parquet(path, compression="uncompressed")
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)
    with pytest.raises(InvalidTable) as refusal:
        list(open_source(path, "parquet").rows())
    assert "private-name" not in str(refusal.value)


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "book.xlsx", {"People": [["a", "b"], [1, 2]]})
    with pytest.raises(InvalidTable, match=r"'Missing'.*'People'"):
        open_source(path, "xlsx", "Missing")


@pytest.mark.parametrize("file_format", ["parquet", "xlsx", "xls"])
@pytest.mark.parametrize("content", [b"", b"not a table", b"PK\x03\x04broken", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_broken_file_is_refused_without_its_path(tmp_path: Path, file_format: str, content: bytes) -> None:
    path = tmp_path / "private-name.bin"
    path.write_bytes(content)
    with pytest.raises(InvalidTable) as refusal:
        open_source(path, file_format)
    assert "private-name" not in str(refusal.value)


def test_nested_columns_are_refused_by_name(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2], "nested": [[1], [2]]}).write_parquet(tmp_path / "table.parquet")
    with pytest.raises(InvalidTable, match="'nested'"):
        open_source(tmp_path / "table.parquet", "parquet")


@pytest.mark.parametrize("file_format", ["", "json", "zip", "csv.gz", "pickle"])
def test_another_format_is_refused_with_the_list(tmp_path: Path, file_format: str) -> None:
    with pytest.raises(InvalidTable, match=r"csv.*parquet.*xlsx"):
        open_source(tmp_path / "table", file_format)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (3, "3"),
        (0.1, "0.1"),
        (float("nan"), "nan"),
        (Decimal("1.50"), "1.50"),
        (datetime(2023, 1, 31, 10), "2023-01-31T10:00:00"),  # noqa: DTZ001 - tables hold naive times
    ],
)
def test_a_typed_value_prints_as_its_text(value: object, text: str) -> None:
    assert text_of(value) == text
