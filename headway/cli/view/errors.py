"""An error for people: what is wrong, field by field, and what to do next."""

import re
from pathlib import Path

from rich.table import Table
from rich.text import Text

from headway.cli.global_options import headway
from headway.cli.view.consoles import err, print_table, say, visible
from headway.contract.errors import Code, HeadwayError, Violation
from headway.runtime.remote_error import RemoteError

_HINTS_BY_REASON = {
    "NO_GPU_HOST": "hosts list",
    "KIND_UNAVAILABLE": "hosts list -o json",
    "RUNTIME_UNAVAILABLE": "doctor",
    "STORE_UNAVAILABLE": "doctor",
    "NOT_DURABLE": "doctor",
    "STORE_LOST": "recover   (with headway stopped)",
    "UNKNOWN_DATASET": "datasets list",
    "UNKNOWN_TEACHER": "models list",
    "QUEUE_FULL": "jobs list --filter 'state = QUEUED'",
    "NO_FAKE_DISCORD": "up --fake-discord",
    "FOLDER_IN_USE": "models pull MODEL --to OTHER_FOLDER",
    "SCOPE": "--key-file FILE ...   (a key with the right)",
}
_HINTS_BY_COLLECTION = {
    "jobs": "jobs list",
    "datasets": "datasets list",
    "models": "models list",
}


def show_error(error: HeadwayError | RemoteError, *, home: Path | None = None) -> None:
    """Print an error on stderr."""
    say(f"error: {_headline(error)}", "bold red")
    say(f"  reason: {_origin(error)}", "dim")
    if error.violations:
        print_table(_violations_table(error.violations), err())
    if error.retry_after is not None:
        say(f"  try again in {error.retry_after.total_seconds():g} s")
    if hint := next_command(error, home):
        say(f"  next: {headway()} {hint}", "cyan")


def show_fault(message: str, hint: str = "") -> None:
    """Print a fault of this machine or of the command line on stderr."""
    say(f"error: {message}", "bold red")
    if hint:
        say(f"  next: {hint}", "cyan")


def next_command(error: HeadwayError | RemoteError, home: Path | None = None) -> str:
    """What to type after `headway` next; empty where nothing comes to mind."""
    if error.reason in _HINTS_BY_REASON:
        return _HINTS_BY_REASON[error.reason]
    if error.code == Code.UNAVAILABLE:
        return "doctor   (or start everything here: headway up)"
    if error.code == Code.UNAUTHENTICATED:
        where = f"{home}/keys/local.key" if home else "keys/local.key in the home folder"
        return f"--key-file FILE ...   (the local key is {where})"
    if error.reason == "REQUEST_ID_REUSED" and (job := error.metadata.get("job")):
        return f"jobs get {job.rpartition('/')[2]}"
    if error.code == Code.NOT_FOUND:
        return _hint_for_missing(error)
    return ""


def _hint_for_missing(error: HeadwayError | RemoteError) -> str:
    found = re.search(r"/(jobs|datasets|models)/", " ".join([error.message, *error.metadata.values()]))
    return _HINTS_BY_COLLECTION[found.group(1)] if found else ""


def _headline(error: HeadwayError | RemoteError) -> str:
    """The message, unless all it does is to say what the table of violations says."""
    violations = error.violations
    if violations and all(f"{one.field}: {one.message}" in error.message for one in violations):
        return f"{len(violations)} fields are refused" if len(violations) > 1 else "a field is refused"
    return error.message


def _origin(error: HeadwayError | RemoteError) -> str:
    if isinstance(error, RemoteError) and error.request_id:
        return f"{error.reason} (request id {error.request_id})"
    return error.reason


def _violations_table(violations: tuple[Violation, ...]) -> Table:
    columns = {
        # Job files hold the spec alone, and so do the paths that people know.
        "field": [violation.field.removeprefix("job.spec.") for violation in violations],
        "problem": [violation.message for violation in violations],
        "allowed": [violation.allowed for violation in violations],
        "try": [violation.suggested for violation in violations],
    }
    filled = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for title in filled:
        table.add_column(title, overflow="fold")
    for row in zip(*filled.values(), strict=True):
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
