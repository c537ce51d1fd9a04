"""Tells the program that started this one how far it is: one JSON object a line, on stdout."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"


class Narrator:
    """Writes lines of three kinds: `progress`, `report` and `error`; the last line is one of the latter two."""

    def progress(self, what: str, done: int, total: int, unit: str) -> None:
        """So much of something is done; `unit` is `bytes` or a plural such as `records`."""
        self._write({"line": "progress", "what": what, "done": done, "total": total, "unit": unit})

    def report(self, report: Mapping[str, Json]) -> None:
        """It is over, and this is what was done."""
        self._write({"line": "report", **report})

    def error(self, reason: str, message: str, code: int) -> None:
        """It was refused or went wrong."""
        self._write({"line": "error", "reason": reason, "message": message, "code": code})

    def _write(self, line: Mapping[str, Json]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
