"""Reads the file formats of tables: CSV by headway's own rules, Parquet and Excel through polars."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from headway.contract.csv_tables import CsvTable, check_header
from headway.contract.errors import InvalidTable, echo
from headway.contract.limits import GIB

if TYPE_CHECKING:
    import polars as pl

FIELD = "table"
"""What violations of this recipe call the file."""

TEXT_FORMATS = frozenset({"csv", "tsv", "txt"})
EXCEL_FORMATS = frozenset({"xls", "xlsx"})
PARQUET_FORMATS = frozenset({"parquet"})

CELLS_MAX = GIB // 2
"""Of a Parquet file, which may claim a billion rows in a kilobyte; as many numbers fill 4 GiB."""


class RowSource(Protocol):
    """A table as text, row by row."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        ...

    def rows(self) -> Iterator[Sequence[str]]:
        """The rows from the first; may be called more than once. An absent cell is an empty text."""
        ...


def open_source(path: Path, file_format: str, sheet_name: str = "") -> RowSource:
    """Open a table.

    Args:
        path: the file.
        file_format: `csv`, `tsv`, `txt`, `xls`, `xlsx` or `parquet`; case does not matter.
        sheet_name: of an Excel file; empty means the first.

    Raises:
        InvalidTable: one of its subclasses, or itself: the file is not a table of that format.
    """
    name = file_format.lower().lstrip(".")
    if name in TEXT_FORMATS:
        return CsvSource(path)
    if name in EXCEL_FORMATS:
        return _open_excel(path, sheet_name)
    if name in PARQUET_FORMATS:
        return _open_parquet(path)
    known = ", ".join(sorted(TEXT_FORMATS | EXCEL_FORMATS | PARQUET_FORMATS))
    raise InvalidTable(f"tables of format {echo(file_format)} are not supported; use one of {known}")


class CsvSource:
    """A CSV file; read anew for each pass, so that a large one is never whole in memory as text."""

    def __init__(self, path: Path) -> None:
        """Reads the header. Args: path: the file. Raises: InvalidTable, or a subclass: it has none."""
        self.path = path
        with self.path.open("rb") as file:
            table = CsvTable(file, field=FIELD)
        self._columns = table.columns
        self.delimiter = table.delimiter

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return self._columns

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return self.path.stat().st_size

    def rows(self) -> Iterator[Sequence[str]]:
        """The rows from the first."""
        with self.path.open("rb") as file:
            yield from CsvTable(file, field=FIELD).rows()


class TypedSource:
    """Columns of typed values, as JSON has them; each value becomes the text that it prints as."""

    def __init__(self, columns: Sequence[str], values: Sequence[Sequence[object]]) -> None:
        self._columns = check_header(columns, field=FIELD)
        self._values = values

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return self._columns

    def rows(self) -> Iterator[Sequence[str]]:
        """The rows from the first."""
        for row in zip(*self._values, strict=True):
            yield [text_of(value) for value in row]


class FrameSource:
    """Columns of typed values, as Parquet and Excel have them, in a frame of polars."""

    def __init__(self, frame: "pl.LazyFrame", columns: Sequence[str]) -> None:
        """Args: frame: whatever it reads, it reads when asked for it. columns: its names, as the file has them."""
        self._frame = frame
        self._names = tuple(columns)
        self._columns = check_header(columns, field=FIELD)

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return self._columns

    def read(self, positions: Sequence[int]) -> "pl.DataFrame":
        """Some columns, with their names as the file has them.

        Raises:
            InvalidTable: the file is broken.
        """
        import polars as pl

        try:
            return self._frame.select([self._names[position] for position in positions]).collect()
        # polars has an error class of its own for each way in which a file can be broken; their texts hold the path.
        except (pl.exceptions.PolarsError, OSError, ValueError):
            raise InvalidTable("the file is damaged; write it anew") from None

    def rows(self) -> Iterator[Sequence[str]]:
        """The rows from the first."""
        for row in self.read(range(len(self._names))).iter_rows():
            yield [text_of(value) for value in row]


def text_of(value: object) -> str:
    """The text of a typed cell: empty when it is absent, ISO 8601 for times."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


# polars takes 0.4 s to import and most tables are CSV, so it is imported where it is needed.


def _open_parquet(path: Path) -> RowSource:
    import polars as pl

    try:
        frame = pl.scan_parquet(path)
        schema = frame.collect_schema()
        num_rows = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError, ValueError):
        raise InvalidTable("the file cannot be read as Parquet") from None
    if num_rows * len(schema) > CELLS_MAX:
        raise InvalidTable(f"{num_rows} rows of {len(schema)} columns; at most {CELLS_MAX} cells can be read")
    return _flat(frame, schema)


def _open_excel(path: Path, sheet_name: str) -> RowSource:
    import fastexcel

    try:
        workbook = fastexcel.read_excel(path)
        names = workbook.sheet_names
        if sheet_name and sheet_name not in names:
            known = ", ".join(echo(name) for name in names[:20])
            raise InvalidTable(f"the file has no sheet {echo(sheet_name)}; it has {known}")
        frame = workbook.load_sheet(sheet_name or 0).to_polars()
    except fastexcel.FastExcelError:
        raise InvalidTable("the file cannot be read as an Excel table") from None
    return _flat(frame.lazy(), frame.schema)


def _flat(frame: "pl.LazyFrame", schema: "pl.Schema") -> FrameSource:
    nested = [name for name, kind in schema.items() if kind.is_nested()]
    if nested:
        raise InvalidTable(f"column {echo(nested[0])} holds nested values; flatten them first")
    return FrameSource(frame, schema.names())
