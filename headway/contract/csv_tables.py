"""What a CSV file of headway is: its delimiter, its header, its limits. One rule for the gateway and the recipes."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from headway.contract.errors import (
    FieldTooLong,
    InvalidEncoding,
    InvalidTable,
    NotEnoughRows,
    TooManyColumns,
    Violation,
    echo,
)
from headway.contract.limits import COLUMN_NAME_MAX_CHARACTERS, FIELD_MAX_BYTES, TABLE_COLUMNS_MAX

DELIMITERS = ",;\t|"
"""In the order in which ties are settled."""

ENCODING = "utf-8-sig"
"""UTF-8; a byte order mark is dropped. Open files with `newline=""`."""

LEAST_ROWS = 2
"""Rows below the header that a table must have."""

_SAMPLE_LINES = 50
_SAMPLE_CHARACTERS = 256 * 1024
_DELIMITER = re.compile(f"[{re.escape(DELIMITERS)}]")


class CsvTable:
    """Reads a CSV file row by row in bounded memory, and names the line of whatever is wrong with it."""

    def __init__(self, file: TextIO, *, field: str = "data_path") -> None:
        """Reads the header.

        Args:
            file: at its beginning; opened with ENCODING and `newline=""`.
            field: path of the request's field that named the file, for violations.

        Raises:
            InvalidTable: one of its subclasses, or itself, with the line in its message.
        """
        self._file = file
        self._field = field
        self._num_lines = 0
        self._ahead: list[str] = []
        self._delimiter = sniff_delimiter(self._sample())
        # The one knob of the csv module that is global; always set to the same value.
        csv.field_size_limit(FIELD_MAX_BYTES)
        self._reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        header = self._next_row()
        if header is None:
            raise self._fault(NotEnoughRows, "the file is empty")
        self._columns = check_header(header, field=field)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in order, without white space around them."""
        return self._columns

    @property
    def delimiter(self) -> str:
        """One of DELIMITERS."""
        return self._delimiter

    def rows(self) -> Iterator[list[str]]:
        """The rows below the header, each with one cell a column; blank lines are left out.

        Raises:
            InvalidTable: one of its subclasses, or itself, with the line in its message.
        """
        while (row := self._next_row()) is not None:
            if len(row) != len(self._columns):
                raise self._fault(InvalidTable, f"{len(row)} fields, and the header has {len(self._columns)}")
            yield row

    def _next_row(self) -> list[str] | None:
        try:
            return next((row for row in self._reader if row), None)
        except csv.Error as error:
            if "field larger" in str(error) or "unexpected end of data" in str(error):
                raise self._fault(FieldTooLong, "a field is too long, or a quote is never closed") from None
            raise self._fault(InvalidTable, str(error)) from None

    def _sample(self) -> str:
        """The first lines, kept to be read again as rows."""
        num_characters = 0
        while len(self._ahead) < _SAMPLE_LINES and num_characters < _SAMPLE_CHARACTERS:
            line = self._read_line()
            if not line:
                break
            self._ahead.append(line)
            num_characters += len(line)
        self._num_lines = 0
        return "".join(self._ahead)

    def _lines(self) -> Iterator[str]:
        ahead, self._ahead = self._ahead, []
        for line in ahead:
            self._num_lines += 1
            yield line
        while line := self._read_line():
            yield line

    def _read_line(self) -> str:
        """A line in pieces of at most 1 MiB: one field without an end must not be read whole before it is refused."""
        self._num_lines += 1
        pieces: list[str] = []
        while True:
            piece = self._read_piece()
            pieces.append(piece)
            if len(piece) < FIELD_MAX_BYTES or piece.endswith(("\n", "\r")):
                return "".join(pieces)
            if not _DELIMITER.search(piece):
                raise self._fault(FieldTooLong, f"a field has more than {FIELD_MAX_BYTES} bytes")
            if len(_DELIMITER.findall("".join(pieces))) > 2 * TABLE_COLUMNS_MAX:
                raise self._fault(TooManyColumns, f"more than {TABLE_COLUMNS_MAX} fields")

    def _read_piece(self) -> str:
        try:
            piece = self._file.readline(FIELD_MAX_BYTES)
        except UnicodeDecodeError:
            raise self._fault(InvalidEncoding, "bytes that are not UTF-8; save the file as UTF-8") from None
        if "\0" in piece:
            raise self._fault(InvalidEncoding, "a NUL byte; is this a text file?")
        return piece

    def _fault(self, error: type[InvalidTable], message: str) -> InvalidTable:
        at = f"line {max(1, self._num_lines)}: {message}"
        metadata = {"line": str(max(1, self._num_lines))}
        return error(at, violations=[Violation(self._field, error.reason, at)], metadata=metadata)


def sniff_delimiter(sample: str) -> str:
    """The delimiter among `, ; tab |` under which most lines have as many fields as the first, and more than one.

    Args:
        sample: the first lines of a file. A last line that is cut off may be among them.

    Returns:
        A comma when none of them splits anything: a table of one column.
    """
    lines = sample.splitlines()[:_SAMPLE_LINES]
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        counts = [_num_fields(line, delimiter) for line in lines if line.strip()]
        if not counts or counts[0] < 2:
            continue
        score = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def check_header(cells: Sequence[str], *, field: str) -> tuple[str, ...]:
    """The column names of a header.

    Raises:
        TooManyColumns: over the limit.
        InvalidTable: a name is empty, too long, or occurs twice; it and its position are named.
    """
    if len(cells) > TABLE_COLUMNS_MAX:
        message = f"line 1: {len(cells)} columns"
        allowed = f"at most {TABLE_COLUMNS_MAX}"
        raise TooManyColumns(message, violations=[Violation(field, TooManyColumns.reason, message, allowed)])
    names = tuple(cell.strip() for cell in cells)
    faults = list(_header_faults(names))
    if faults:
        violations = [Violation(field, InvalidTable.reason, fault) for fault in faults[:8]]
        raise InvalidTable(faults[0], violations=violations, metadata={"line": "1"})
    return names


def _header_faults(names: Sequence[str]) -> Iterator[str]:
    first_seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            yield f"line 1: column {position} has no name"
        elif len(name) > COLUMN_NAME_MAX_CHARACTERS:
            yield f"line 1: the name of column {position} is longer than {COLUMN_NAME_MAX_CHARACTERS} characters"
        elif name in first_seen:
            yield f"line 1: columns {first_seen[name]} and {position} have the same name {echo(name)}"
        first_seen.setdefault(name, position)


def _num_fields(line: str, delimiter: str) -> int:
    """Fields of a line; a delimiter within quotes does not count."""
    outside = line.split('"')[::2]
    return 1 + sum(part.count(delimiter) for part in outside)
