"""What a CSV file of headway is: its delimiter, its header, its limits. One rule for the gateway and the recipes."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

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
"""UTF-8; a byte order mark is dropped."""

LEAST_ROWS = 2
"""Rows below the header that a table must have."""

_SAMPLE_LINES = 50
_SAMPLE_CHARACTERS = 256 * 1024
_BLOCK_BYTES = FIELD_MAX_BYTES
_OPEN_FIELDS_MAX = 4 * TABLE_COLUMNS_MAX
"""Delimiters of any sort in the pieces of one line; a decimal comma is none of the real ones."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_DELIMITER = re.compile(f"[{re.escape(DELIMITERS)}]")


class CsvTable:
    """Reads a CSV file row by row in bounded memory, and names the line of whatever is wrong with it."""

    def __init__(self, file: BinaryIO, *, field: str = "data_path") -> None:
        """Reads the header.

        Args:
            file: at its beginning, opened for reading bytes.
            field: path of the request's field that named the file, for violations.

        Raises:
            InvalidTable: one of its subclasses, or itself, with the line in its message.
        """
        self._lines = _Lines(file, field)
        self._delimiter = sniff_delimiter(self._lines.sample())
        # The one knob of the csv module that is global; always set to the same value.
        csv.field_size_limit(FIELD_MAX_BYTES)
        self._reader = csv.reader(iter(self._lines), delimiter=self._delimiter, strict=True)
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
        num_columns = len(self._columns)
        try:
            for row in self._reader:
                if len(row) == num_columns:
                    yield row
                elif row:
                    raise self._fault(InvalidTable, f"{len(row)} fields, and the header has {num_columns}")
        except csv.Error as error:
            raise self._unreadable(error) from None

    def _next_row(self) -> list[str] | None:
        try:
            return next((row for row in self._reader if row), None)
        except csv.Error as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: csv.Error) -> InvalidTable:
        if "field larger" in str(error) or "unexpected end of data" in str(error):
            return self._fault(FieldTooLong, "a field is too long, or a quote is never closed")
        return self._fault(InvalidTable, str(error))

    def _fault(self, error: type[InvalidTable], message: str) -> InvalidTable:
        return _fault(error, self._reader.line_num, message, self._lines.field)


class _Lines:
    """The lines of a file as text, each ending with a newline, whatever the file ends its lines with.

    A line without an end must not be read whole before it is refused, so bytes are read a block at a time; and a line
    at a time is not asked of Python for, which would take ten times as long.
    """

    def __init__(self, file: BinaryIO, field: str) -> None:
        self.field = field
        self._file = file
        self._decoder = codecs.getincrementaldecoder(ENCODING)()
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._carried: list[str] = []
        self._num_open_fields = 0
        self._num_open_bytes = 0
        self._num_lines = 0
        self._first: list[str] | None = None
        self._is_over = False

    def __iter__(self) -> Iterator[str]:
        first, self._first = self._first or [], None
        yield from first
        while not self._is_over:
            yield from self._next_lines()

    def sample(self) -> str:
        """The beginning, which is iterated over again."""
        self._first = []
        while not self._first and not self._is_over:
            self._first = self._next_lines()
        return "".join(self._first[:_SAMPLE_LINES])[:_SAMPLE_CHARACTERS]

    def _next_lines(self) -> list[str]:
        """Whole lines; those of the last block may lack an end."""
        block = self._file.read(_BLOCK_BYTES)
        self._is_over = not block
        text = self._newlines.decode(self._decode(block), final=self._is_over)
        if "\0" in text:
            line = self._num_lines + text.count("\n", 0, text.index("\0")) + 1
            raise _fault(InvalidEncoding, line, "a NUL byte; is this a text file?", self.field)
        self._num_lines += text.count("\n")
        start, newline, end = text.rpartition("\n")
        if not newline and not self._is_over:
            self._carry(text, len(block))
            return []
        lines = _LINE.findall("".join([*self._carried, start, newline, *([end] if self._is_over else [])]))
        self._carried = [] if self._is_over else [end]
        self._num_open_fields, self._num_open_bytes = 0, 0
        return lines

    def _carry(self, text: str, num_bytes: int) -> None:
        """Keep a piece of a line that is longer than a block, if it can still become a row."""
        self._carried.append(text)
        num_delimiters = len(_DELIMITER.findall(text))
        self._num_open_fields += num_delimiters
        self._num_open_bytes = 0 if num_delimiters else self._num_open_bytes + num_bytes
        if self._num_open_bytes >= FIELD_MAX_BYTES:
            message = f"a field has {FIELD_MAX_BYTES} bytes or more"
            raise _fault(FieldTooLong, self._num_lines + 1, message, self.field)
        if self._num_open_fields > _OPEN_FIELDS_MAX:
            message = f"more than {TABLE_COLUMNS_MAX} fields"
            raise _fault(TooManyColumns, self._num_lines + 1, message, self.field)

    def _decode(self, block: bytes) -> str:
        try:
            return self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            line = self._num_lines + block.count(b"\n", 0, max(0, error.start)) + 1
            message = "bytes that are not UTF-8; save the file as UTF-8"
            raise _fault(InvalidEncoding, line, message, self.field) from None


def _fault(error: type[InvalidTable], line: int, message: str, field: str) -> InvalidTable:
    at = f"line {max(1, line)}: {message}"
    return error(at, violations=[Violation(field, error.reason, at)], metadata={"line": str(max(1, line))})


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
        raise _fault(TooManyColumns, 1, f"{len(cells)} columns; at most {TABLE_COLUMNS_MAX} are allowed", field)
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
