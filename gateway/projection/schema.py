"""The tables of the projection, and how its file is opened."""

import sqlite3
from pathlib import Path

from gateway.projection.disk_trouble import disk_trouble_is_told
from headway.contract.errors import Code, DiskFull, HeadwayError
from headway.runtime.clock import Clock
from headway.runtime.disk import fsync_path

SCHEMA_VERSION = 3
"""Raised with every change of the tables; files of version 2 are brought up to it, and newer ones are refused."""

_JOBS = """
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
CREATE TABLE position (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    stream_created TEXT NOT NULL,
    last_sequence INTEGER NOT NULL
);
"""
_ADDED_IN_3 = """
-- Records are told from bytes that rot by this; SQLite has no check of its own. NULL: written by version 2.
ALTER TABLE jobs ADD COLUMN checksum INTEGER;
-- The records of the other buckets, and how far each was followed.
CREATE TABLE records (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
);
CREATE TABLE positions (
    bucket TEXT PRIMARY KEY,
    stream_created TEXT NOT NULL,
    last_sequence INTEGER NOT NULL
);
-- Which store the rows are of, and up to which revision of the jobs bucket the events are out.
CREATE TABLE store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    store_id TEXT NOT NULL,
    told_sequence INTEGER NOT NULL
);
"""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # A power cut may cost the last commits, never consistency: rows and position are of one commit, and the bucket
    # has the rest.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA trusted_schema = OFF",
)


class ProjectionDamaged(HeadwayError):
    """The projection's file cannot be used: its bytes have gone bad, or a newer release wrote it."""

    reason = "PROJECTION_DAMAGED"
    code = Code.FAILED_PRECONDITION


def open_database(path: Path) -> sqlite3.Connection:
    """The database, with its tables. Nothing is ever thrown away: see `set_aside`.

    Args:
        path: the file; its folder exists.

    Returns:
        A connection in autocommit mode that may be used from any one thread at a time.

    Raises:
        ProjectionDamaged: the file cannot be used; it is left as it is.
        DiskFull: there is no room to open it.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        # A full disk is no damage: what could not be opened now is good, and is not to be replaced.
        with disk_trouble_is_told():
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            _prepare(connection)
    except DiskFull:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ProjectionDamaged(f"{path.name} cannot be used: {error}") from error
    return connection


def open_beside(path: Path) -> sqlite3.Connection:
    """Another connection to a file that `open_database` has opened and looked through."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def set_aside(path: Path, clock: Clock) -> Path:
    """Rename a file that cannot be used, so that another can be made and a person can look at it.

    Returns:
        Its new path.
    """
    aside = path.with_name(f"{path.name}.damaged-{clock.now():%Y%m%dT%H%M%S%fZ}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    fsync_path(path.parent)
    return aside


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, 2, SCHEMA_VERSION}:
        raise sqlite3.DatabaseError(f"it is of schema version {version}, and this release knows {SCHEMA_VERSION}")
    if version != 0:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    if version != SCHEMA_VERSION:
        tables = _ADDED_IN_3 if version == 2 else _JOBS + _ADDED_IN_3
        connection.executescript(f"BEGIN; {tables} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
