"""Which format a data file has, by its name or the caller's word."""

from headway.contract.errors import ArchiveNotSupported, InvalidTable, Violation, echo

CSV, XLS, XLSX, PARQUET, TEXT, JSON_LINES = "csv", "xls", "xlsx", "parquet", "txt", "jsonl"
FORMATS = (CSV, XLS, XLSX, PARQUET, TEXT, JSON_LINES)
TABLES = frozenset({CSV, XLS, XLSX, PARQUET})

FILE_NAME_MAX_CHARACTERS = 128
_BY_ENDING = {".csv": CSV, ".tsv": CSV, ".txt": TEXT, ".jsonl": JSON_LINES, ".ndjson": JSON_LINES} | {
    ".xls": XLS,
    ".xlsx": XLSX,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".md": TEXT,
}
_ARCHIVES = (".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def format_of(file_name: str, asked: str, *, field: str) -> str:
    """The format of a file.

    Args:
        file_name: without its folder.
        asked: the caller's word; empty to go by the name.
        field: path of the field that named the file, for violations.

    Raises:
        ArchiveNotSupported: the name is that of an archive.
        InvalidTable: the format is unknown, or cannot be told from the name.
    """
    if asked:
        if asked in FORMATS:
            return asked
        raise _unknown(f"the format {echo(asked)} is unknown", "format")
    name = file_name.lower()
    if name.endswith(_ARCHIVES):
        message = f"{echo(file_name)} is an archive; give the file inside of it"
        raise ArchiveNotSupported(message, violations=[Violation(field, ArchiveNotSupported.reason, message)])
    ending = "." + name.rpartition(".")[2]
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    raise _unknown(f"the format of {echo(file_name)} cannot be told from its name", field)


def check_file_name(file_name: str, *, field: str) -> str:
    """Return a plain file name.

    Raises:
        InvalidTable: empty, too long, or with a folder or control characters in it.
    """
    if (
        not 1 <= len(file_name) <= FILE_NAME_MAX_CHARACTERS
        or "/" in file_name
        or "\\" in file_name
        or not file_name.isprintable()
        or file_name in {".", ".."}
    ):
        message = f"{echo(file_name)} is not a file name"
        allowed = f"1 to {FILE_NAME_MAX_CHARACTERS} printable characters without a folder"
        raise InvalidTable(message, violations=[Violation(field, "FILE_NAME", message, allowed)])
    return file_name


def _unknown(message: str, field: str) -> InvalidTable:
    return InvalidTable(message, violations=[Violation(field, "FORMAT", message, f"one of {', '.join(FORMATS)}")])
