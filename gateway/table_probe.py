"""Looks into an Excel or Parquet file, or a large CSV file, as a short-lived process of its own.

The first two are read by native libraries that decompress what the file says. Here a bomb or a crash costs a process
with bounded memory and time, and the gateway never loads the libraries. Counting the rows of a large CSV would hold
the interpreter's lock for seconds.
"""

import resource
import sys
import zipfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gateway.tables import inspect_csv
from headway.contract.errors import InvalidTable

MEMORY_BYTES = 4 * 1024**3
CPU_SECONDS = 30
UNZIPPED_MAX_BYTES = 1024**3
MEMBERS_MAX = 10_000


class Question(BaseModel):
    """What to look for; one JSON argument."""

    model_config = ConfigDict(frozen=True)

    path: str
    format: str
    sheet_name: str = ""
    num_rows: int = 0
    """Rows of a preview."""
    size_bytes: int = 0
    """Of the file; asked of CSV only."""
    field: str = ""
    """Path of the request's field that named the file, for violations; asked of CSV only."""


class Answer(BaseModel):
    """What was found; JSON on standard output."""

    model_config = ConfigDict(frozen=True)

    problem: str = ""
    """A sentence; empty when the file can be read."""
    reason: str = ""
    """The error's word, where it is another than that of InvalidTable."""
    header: tuple[str, ...] = ()
    """Names as they stand in the file, unchecked."""
    num_rows: int = 0
    """Rows below the header."""
    rows: tuple[tuple[str, ...], ...] = ()
    """The first rows."""


def answer(question: Question) -> Answer:
    """Look into the file; a fault of the file is an answer, not an exception."""
    try:
        return _READERS[question.format](question)
    except InvalidTable as error:
        return Answer(problem=error.message, reason=error.reason)
    except MemoryError:
        return Answer(problem="the file takes too much memory to read")
    except Exception as error:  # noqa: BLE001 - whatever a reader of foreign bytes raises is the file's fault
        return Answer(problem=f"the file cannot be read as {question.format}: {str(error).splitlines()[0][:200]}")


def _excel(question: Question) -> Answer:
    import fastexcel

    if question.format == "xlsx":
        problem = _bomb(Path(question.path))
        if problem:
            return Answer(problem=problem)
    workbook = fastexcel.read_excel(question.path)
    sheet_name = question.sheet_name or workbook.sheet_names[0]
    if sheet_name not in workbook.sheet_names:
        return Answer(problem=f"the file has no sheet {sheet_name!r}; it has {', '.join(workbook.sheet_names)[:200]}")
    # Without a header row the library leaves doubled and empty names as they are, for us to refuse.
    table = workbook.load_sheet(sheet_name, header_row=None, dtypes="string").to_polars()
    if table.height == 0:
        return Answer(problem="the sheet is empty")
    header = tuple(_text(cell) for cell in table.row(0))
    rows = tuple(tuple(_text(cell) for cell in row) for row in table.slice(1, question.num_rows).rows())
    return Answer(header=header, num_rows=table.height - 1, rows=rows)


def _parquet(question: Question) -> Answer:
    import polars as pl

    table = pl.scan_parquet(question.path)
    header = tuple(table.collect_schema().names())
    num_rows = int(table.select(pl.len()).collect().item())
    rows: tuple[tuple[str, ...], ...] = ()
    if question.num_rows:
        rows = tuple(tuple(_text(cell) for cell in row) for row in table.head(question.num_rows).collect().rows())
    return Answer(header=header, num_rows=num_rows, rows=rows)


def _csv(question: Question) -> Answer:
    with Path(question.path).open("rb") as file:
        facts = inspect_csv(file, question.size_bytes, field=question.field)
    return Answer(header=facts.columns, num_rows=facts.num_rows)


_READERS = {"csv": _csv, "parquet": _parquet, "xls": _excel, "xlsx": _excel}


def _bomb(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > MEMBERS_MAX or sum(member.file_size for member in members) > UNZIPPED_MAX_BYTES:
        return f"the file unpacks to more than {UNZIPPED_MAX_BYTES} bytes or {MEMBERS_MAX} parts"
    return ""


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _limit_myself() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Answer the question in the first argument."""
    _limit_myself()
    sys.stdout.write(answer(Question.model_validate_json(sys.argv[1])).model_dump_json())


if __name__ == "__main__":
    main()
