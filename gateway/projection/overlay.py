"""Rows in memory over the rows of the file, for as long as the disk takes none: lists must not fall behind (P28).

SQLite finds a name among its temporary tables first. So a temporary view named `jobs`, of the rows in memory and of
those in the file that they do not replace, answers every query as the table would; only more slowly, without indexes.
"""

import sqlite3
from collections.abc import Sequence

from gateway.projection.rows import Row

_LIFT = ("DROP VIEW IF EXISTS temp.jobs", "DROP TABLE IF EXISTS temp.late", "DROP TABLE IF EXISTS temp.gone")
_LAY = (
    "CREATE TEMP TABLE late AS SELECT * FROM main.jobs WHERE 0",
    "CREATE TEMP TABLE gone (job_id TEXT PRIMARY KEY)",
)
_SHOW = """
CREATE TEMP VIEW jobs AS
SELECT * FROM temp.late UNION ALL SELECT * FROM main.jobs WHERE job_id NOT IN (SELECT job_id FROM temp.gone)
"""


class Overlay:
    """The rows in memory of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Args: connection: to the file; used from one thread at a time."""
        self._connection = connection
        self._is_laid = False
        connection.execute("PRAGMA temp_store = MEMORY")

    def lay(self, rows: Sequence[Row], job_ids: Sequence[str]) -> None:
        """Show these rows in place of what the file says of these jobs; what was laid before goes."""
        with self._connection:
            self._connection.execute("BEGIN")
            for statement in (*_LIFT, *_LAY):
                self._connection.execute(statement)
            for row in rows:
                marks = ", ".join("?" * len(row))
                self._connection.execute(f"INSERT INTO temp.late VALUES ({marks})", row)  # noqa: S608 - only marks
            self._connection.executemany("INSERT OR IGNORE INTO temp.gone VALUES (?)", [(one,) for one in job_ids])
            self._connection.execute(_SHOW)
        self._is_laid = True

    def lift(self) -> None:
        """Show the file alone."""
        if self._is_laid:
            for statement in _LIFT:
                self._connection.execute(statement)
            self._is_laid = False
