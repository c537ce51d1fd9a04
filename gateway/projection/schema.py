"""The tables of the projection, and how its file is opened."""

import sqlite3
from pathlib import Path

from headway.runtime.logs import get_logger

_log = get_logger(__name__)

SCHEMA_VERSION = 2
"""Raised with every change of the tables; a file of another version is thrown away and built anew."""

_TABLES = """
CREATE TABLE position (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    stream_created TEXT NOT NULL,
    last_sequence INTEGER NOT NULL
);
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    project TEXT NOT NULL,
    state INTEGER NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    mode INTEGER NOT NULL,
    host TEXT NOT NULL,
    priority INTEGER NOT NULL,
    create_time INTEGER NOT NULL, -- microseconds since the epoch
    end_time INTEGER NOT NULL,    -- microseconds since the epoch; 0 while the job is not over
    tags TEXT NOT NULL,           -- each tag between unit separators
    key_id TEXT NOT NULL,
    record BLOB NOT NULL
);
-- Ties are in order of creation: what people expect of a list, and new jobs, whose ids are random, are written side by
-- side at the end of each index.
CREATE INDEX jobs_by_create_time ON jobs (project, create_time, job_id);
CREATE INDEX jobs_by_state ON jobs (project, state, create_time, job_id);
CREATE INDEX jobs_by_end_time ON jobs (project, end_time, create_time, job_id);
CREATE INDEX jobs_by_priority ON jobs (project, priority, create_time, job_id);
"""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # A power cut may cost the last commits, never consistency: rows and position are of one commit, and the bucket
    # has the rest.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA trusted_schema = OFF",
)


def open_database(path: Path) -> sqlite3.Connection:
    """The database, with its tables; a damaged file or one of another version is replaced by an empty one.

    Args:
        path: the file; its folder exists.

    Returns:
        A connection in autocommit mode that may be used from any one thread at a time.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        _log.warning("projection is unusable and is built anew", why=str(error))
    _remove(path)
    return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _prepare(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        return
    if version != 0:
        raise sqlite3.DatabaseError(f"schema version {version}, this release has {SCHEMA_VERSION}")
    connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
