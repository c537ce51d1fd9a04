"""Looks into a data file: its columns, how many rows it has, its first rows. Blocking: runs in a disk thread."""

import codecs
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from gateway.table_format import CSV, JSON_LINES, TEXT
from headway.contract.csv_tables import LEAST_ROWS, CsvTable
from headway.contract.errors import ArchiveNotSupported, InvalidEncoding, InvalidTable, NotEnoughRows, Violation
from headway.contract.limits import CELL_MAX_CHARACTERS, COUNTED_TABLE_MAX_BYTES

_MAGIC_BYTES = 6
_ARCHIVES = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TEXT_SAMPLE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a data file holds.

    Attributes:
        columns: names in order; empty for text.
        num_rows: rows of a table; 0 where not counted.
    """

    columns: tuple[str, ...] = ()
    num_rows: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a table as text.

    Attributes:
        columns: names in order.
        rows: one cell a column, each cut at 256 characters.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def inspect_csv(file: BinaryIO, size_bytes: int, *, field: str) -> TableFacts:
    """Columns and rows of a CSV file. Files up to 64 MiB are read to their end, so every line of them is checked.

    Raises:
        InvalidTable: or a subclass; the message names the line.
    """
    table = _csv_table(file, field)
    is_counted = size_bytes <= COUNTED_TABLE_MAX_BYTES
    num_rows = sum(1 for _ in (table.rows() if is_counted else islice(table.rows(), LEAST_ROWS)))
    if num_rows < LEAST_ROWS:
        raise not_enough_rows(num_rows, field=field)
    return TableFacts(table.columns, num_rows if is_counted else 0)


def preview_csv(file: BinaryIO, num_rows: int) -> Preview:
    """The first rows of a CSV file."""
    table = _csv_table(file, "name")
    rows = tuple(tuple(cut_cell(cell) for cell in row) for row in islice(table.rows(), num_rows))
    return Preview(table.columns, rows)


def inspect_text(file: BinaryIO, *, field: str) -> TableFacts:
    """Check that the beginning of a text is text.

    Raises:
        InvalidEncoding: not UTF-8, or with NUL bytes.
        NotEnoughRows: it is empty.
    """
    start = _refuse_foreign(file, field, _TEXT_SAMPLE_BYTES)
    if not start:
        raise not_enough_rows(0, field=field)
    try:
        # Not final: a character may be cut at the end of the sample.
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < _TEXT_SAMPLE_BYTES)
    except UnicodeDecodeError:
        raise _not_text(field, "bytes that are not UTF-8; save the file as UTF-8") from None
    if b"\0" in start:
        raise _not_text(field, "a NUL byte; is this a text file?")
    return TableFacts()


def is_plain(data_format: str) -> bool:
    """Whether the format is read here, without a library for it."""
    return data_format in {CSV, TEXT, JSON_LINES}


def cut_cell(cell: str) -> str:
    """A cell as a preview shows it."""
    return cell[:CELL_MAX_CHARACTERS]


def not_enough_rows(num_rows: int, *, field: str) -> NotEnoughRows:
    """The error for a table that nothing can be learned from."""
    message = f"the table has {num_rows} rows below its header"
    allowed = f"at least {LEAST_ROWS}"
    return NotEnoughRows(message, violations=[Violation(field, NotEnoughRows.reason, message, allowed)])


def _csv_table(file: BinaryIO, field: str) -> CsvTable:
    _refuse_foreign(file, field, _MAGIC_BYTES)
    file.seek(0)
    return CsvTable(file, field=field)


def _refuse_foreign(file: BinaryIO, field: str, num_bytes: int) -> bytes:
    """The file's first bytes, unless they are those of an archive or of UTF-16."""
    start = file.read(num_bytes)
    if start.startswith(_ARCHIVES):
        message = "the file is compressed or an archive; give the file inside of it"
        raise ArchiveNotSupported(message, violations=[Violation(field, ArchiveNotSupported.reason, message)])
    if start.startswith(_UTF16):
        raise _not_text(field, "UTF-16; save the file as UTF-8")
    return start


def _not_text(field: str, what: str) -> InvalidTable:
    message = f"the file holds {what}"
    return InvalidEncoding(message, violations=[Violation(field, InvalidEncoding.reason, message)])
