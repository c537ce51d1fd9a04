"""What a stored data file holds, by whatever reads its format; what was found once is remembered."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.probing import Prober
from gateway.table_format import CSV, TABLES
from gateway.table_probe import Question
from gateway.tables import (
    Preview,
    TableFacts,
    cut_cell,
    inspect_csv,
    inspect_text,
    is_plain,
    not_enough_rows,
    preview_csv,
)
from headway.contract.csv_tables import LEAST_ROWS, check_header
from headway.contract.errors import InvalidTable, Violation
from headway.contract.limits import COUNTED_TABLE_MAX_BYTES

_QUICK_MAX_BYTES = 1024 * 1024
"""A CSV file up to this is read in a thread, in some 100 ms; a larger one in a process, beside the event loop. One that
is too large to be counted is read in a thread again: of that only the beginning is read."""

_REMEMBERED_MAX = 1024
_REMEMBERED_COLUMNS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class DataFile:
    """A stored file.

    Attributes:
        project: whose it is.
        digest: of its bytes.
        size_bytes: of the file.
        format: as `table_format` names it.
        sheet_name: of an Excel file; empty for the first sheet.
    """

    project: str
    digest: str
    size_bytes: int
    format: str
    sheet_name: str = ""


class TableReader:
    """Reads what lies in the blob store; immutable bytes make the memory of it always right."""

    def __init__(self, blobs: BlobStore, threads: DiskThreads, prober: Prober) -> None:
        """Args: blobs: where the files lie. threads: for reading them. prober: for Excel and Parquet."""
        self._blobs = blobs
        self._threads = threads
        self._prober = prober
        self._remembered: OrderedDict[DataFile, TableFacts] = OrderedDict()
        self._num_remembered_columns = 0
        self._locks: dict[DataFile, asyncio.Lock] = {}

    async def facts(self, file: DataFile, *, field: str) -> TableFacts:
        """Columns and number of rows.

        Args:
            file: whole, in the blob store.
            field: path of the request's field that named it, for violations.

        Raises:
            InvalidTable: or a subclass: it is not an acceptable table; the message names line or column.
            NotFound: the blob is missing.
        """
        # One look at a file at a time: of many who ask at once, the first looks and the others find it remembered.
        lock = self._locks.setdefault(file, asyncio.Lock())
        try:
            async with lock:
                if file not in self._remembered:
                    self._remember(file, await self._look(file, field))
                return self._remembered[file]
        finally:
            if not lock.locked():
                self._locks.pop(file, None)

    async def preview(self, file: DataFile, num_rows: int) -> Preview:
        """The first rows as text.

        Raises:
            InvalidTable: it is text, not a table, or cannot be read.
            NotFound: the blob is missing.
        """
        if file.format not in TABLES:
            message = f"a {file.format} file has no columns to show"
            raise InvalidTable(message, violations=[Violation("name", InvalidTable.reason, message)])
        if is_plain(file.format):
            opened = await self._threads.run(self._blobs.open, file.project, file.digest)
            with opened:
                return await self._threads.run(preview_csv, opened, num_rows)
        answer = await self._prober.ask(self._question(file, num_rows, "name"), field="name")
        rows = tuple(tuple(cut_cell(cell) for cell in row) for row in answer.rows)
        return Preview(check_header(answer.header, field="name"), rows)

    async def _look(self, file: DataFile, field: str) -> TableFacts:
        if is_plain(file.format) and (file.format != CSV or _is_quick(file.size_bytes)):
            opened = await self._threads.run(self._blobs.open, file.project, file.digest)
            with opened:
                if file.format == CSV:
                    return await self._threads.run(inspect_csv, opened, file.size_bytes, field=field)
                return await self._threads.run(inspect_text, opened, field=field)
        answer = await self._prober.ask(self._question(file, 0, field), field=field)
        if answer.num_rows < LEAST_ROWS and file.format != CSV:
            raise not_enough_rows(answer.num_rows, field=field)
        return TableFacts(check_header(answer.header, field=field), answer.num_rows)

    def _question(self, file: DataFile, num_rows: int, field: str) -> Question:
        return Question(
            path=str(self._blobs.path(file.project, file.digest)),
            format=file.format,
            sheet_name=file.sheet_name,
            num_rows=num_rows,
            size_bytes=file.size_bytes,
            field=field,
        )

    def _remember(self, file: DataFile, facts: TableFacts) -> None:
        self._remembered[file] = facts
        self._num_remembered_columns += len(facts.columns)
        while (
            len(self._remembered) > _REMEMBERED_MAX or self._num_remembered_columns > _REMEMBERED_COLUMNS_MAX
        ) and len(self._remembered) > 1:
            _, dropped = self._remembered.popitem(last=False)
            self._num_remembered_columns -= len(dropped.columns)


def _is_quick(size_bytes: int) -> bool:
    return size_bytes <= _QUICK_MAX_BYTES or size_bytes > COUNTED_TABLE_MAX_BYTES
