"""Cuts a large CSV file into blocks of whole rows, and makes sure that a fast reader reads them as the exact one.

Blocks are only handed out when what they hold can be read in one way: UTF-8 without NUL bytes, each quote at the edge
of a field or doubled, as many fields in each row as in the header. Of anything else the exact reader has to say what is
wrong, and in which line.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headway.contract.limits import FIELD_MAX_BYTES

_READ_BYTES = 8 * FIELD_MAX_BYTES
_LONGEST_ROW_BYTES = 16 * FIELD_MAX_BYTES
"""The exact reader takes longer ones too, if their fields are short enough."""
_BOM = b"\xef\xbb\xbf"
_QUOTE, _NEWLINE = ord('"'), ord("\n")

Bytes = NDArray[np.uint8]


class Unclear(Exception):
    """The exact reader must read this file."""


def read_blocks(path: Path) -> Iterator[bytes]:
    """Whole rows some MiB at a time, each ended by a newline, without a byte order mark and with no other line ends.

    Raises:
        Unclear: the bytes are no text, or a row is longer than a block.
    """
    with path.open("rb") as file:
        carried = file.read(len(_BOM)).removeprefix(_BOM)
        while read := file.read(_READ_BYTES):
            if read.endswith(b"\r"):
                read += file.read(1)  # It may be the first half of a line end.
            if b"\r" in read:
                read = read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            rows, carried = _cut(carried + read)
            if rows:
                yield rows
        if carried:
            yield _checked(carried + b"\n")


def _cut(block: bytes) -> tuple[bytes, bytes]:
    """The rows of a block, and the beginning of the next row; a newline within quotes ends none."""
    is_open = block.count(b'"') % 2 == 1
    end = len(block)
    while True:
        newline = block.rfind(b"\n", 0, end)
        if newline < 0:
            if len(block) > _LONGEST_ROW_BYTES:
                raise Unclear
            return b"", block
        is_open ^= block.count(b'"', newline, end) % 2 == 1
        if not is_open:
            return _checked(block[: newline + 1]), block[newline + 1 :]
        if len(block) - newline > FIELD_MAX_BYTES:
            raise Unclear
        end = newline


def _checked(rows: bytes) -> bytes:
    if b"\0" in rows:
        raise Unclear
    if not rows.isascii():
        try:
            rows.decode()
        except UnicodeDecodeError:
            raise Unclear from None
    return rows


def check_fields(rows: bytes, delimiter: str, num_columns: int) -> tuple[bytes, int]:
    """Whole rows without the blank lines between them, and how many they are.

    Raises:
        Unclear: a row has more or fewer fields than there are columns, or a quote is in an unusual place.
    """
    if b'"' not in rows:
        rows = _without_blank_lines(rows)
        num_rows = rows.count(b"\n")
        num_delimiters = rows.count(delimiter.encode())
    else:
        content = np.frombuffer(rows, dtype=np.uint8)
        quotes = np.flatnonzero(content == _QUOTE)
        _check_quotes(content, quotes, ord(delimiter))
        if b"\n\n" in rows or rows.startswith(b"\n"):
            ends = _outside(np.flatnonzero(content == _NEWLINE), quotes)
            content = np.delete(content, ends[np.diff(ends, prepend=-1) == 1])
            rows, quotes = content.tobytes(), np.flatnonzero(content == _QUOTE)
        num_rows = _num_outside(np.flatnonzero(content == _NEWLINE), quotes)
        num_delimiters = _num_outside(np.flatnonzero(content == ord(delimiter)), quotes)
    # A row of too many fields is refused by the reader of the block; so when the sum is right, none has too few.
    if num_delimiters != num_rows * (num_columns - 1):
        raise Unclear
    return rows, num_rows


def _without_blank_lines(rows: bytes) -> bytes:
    while b"\n\n" in rows:
        rows = rows.replace(b"\n\n", b"\n")
    return rows.removeprefix(b"\n")


def _outside(positions: NDArray[np.int64], quotes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the positions that have an even number of quotes before them."""
    is_outside: NDArray[np.bool_] = np.searchsorted(quotes, positions) % 2 == 0
    return positions[is_outside]


def _num_outside(positions: NDArray[np.int64], quotes: NDArray[np.int64]) -> int:
    """How many of them that are; there are fewer quotes than delimiters, so those are looked up."""
    num_before = np.searchsorted(positions, quotes)
    return int(positions.size - (num_before[1::2] - num_before[0::2]).sum())


def _check_quotes(content: Bytes, quotes: NDArray[np.int64], delimiter: int) -> None:
    """Refuse quotes that neither begin a field, nor end one, nor stand twice for a quote within one."""
    if quotes.size % 2:
        raise Unclear
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, content[opening - 1], _NEWLINE)
    after = content[np.minimum(closing + 1, content.size - 1)]
    begins = (before == delimiter) | (before == _NEWLINE)
    ends = (after == delimiter) | (after == _NEWLINE)
    is_doubled = closing[:-1] + 1 == opening[1:]
    if not (begins | np.append(False, is_doubled)).all() or not (ends | np.append(is_doubled, False)).all():
        raise Unclear
