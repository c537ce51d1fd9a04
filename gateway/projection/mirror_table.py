"""The records of the small buckets in the projection's file, and which store all of it is of. Blocking."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.projection.rows import checksum
from gateway.projection.schema import ProjectionDamaged, open_beside

_UPSERT = """
INSERT INTO records VALUES (?, ?, ?, ?, ?)
ON CONFLICT (bucket, key) DO UPDATE SET
    revision = excluded.revision, record = excluded.record, checksum = excluded.checksum
WHERE excluded.revision > records.revision
"""
_DELETE = "DELETE FROM records WHERE bucket = ? AND key = ? AND revision < ?"


@dataclass(frozen=True, slots=True)
class RecordSeen:
    """One revision of a record of any bucket.

    Attributes:
        bucket: its name.
        key: the record's.
        revision: its sequence in the bucket's stream.
        data: its bytes; None when it was deleted or has expired.
    """

    bucket: str
    key: str
    revision: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class KnownStore:
    """Which store the rows are of.

    Attributes:
        store_id: empty when no store was met yet.
        told_sequence: revisions of the jobs bucket up to this one have their events out.
    """

    store_id: str = ""
    told_sequence: int = 0


class MirrorTable:
    """Records of the buckets other than `jobs`."""

    def __init__(self, path: Path) -> None:
        """Open the file that a JobTable has opened before.

        Raises:
            ProjectionDamaged: a record in it has gone bad.
        """
        self._connection = open_beside(path)
        try:
            self._check_records()
        except BaseException:
            self._connection.close()
            raise
        self._lookup = open_beside(path)

    def close(self) -> None:
        """Close it; what was applied stays."""
        self._lookup.close()
        self._connection.close()

    def position(self, bucket: str) -> tuple[datetime | None, int]:
        """The stream that a bucket's rows came from (None before the first) and the last sequence of it."""
        statement = "SELECT stream_created, last_sequence FROM positions WHERE bucket = ?"
        found = self._connection.execute(statement, (bucket,)).fetchone()
        return (None, 0) if found is None else (datetime.fromisoformat(found[0]), found[1])

    def begin(self, bucket: str, stream_created: datetime) -> None:
        """Follow a bucket's stream from its beginning; rows stay until the stream tells of them."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("UPDATE records SET revision = 0 WHERE bucket = ?", (bucket,))
            position = (bucket, stream_created.isoformat(), 0)
            self._connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", position)

    def apply(self, batch: Sequence[RecordSeen]) -> None:
        """Write what was seen, and how far that is, in one commit."""
        last = {seen.bucket: seen.revision for seen in batch}
        kept = [
            (one.bucket, one.key, one.revision, one.data, checksum(one.data)) for one in batch if one.data is not None
        ]
        gone = [(one.bucket, one.key, one.revision) for one in batch if one.data is None]
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_UPSERT, kept)
            self._connection.executemany(_DELETE, gone)
            places = [(sequence, bucket) for bucket, sequence in last.items()]
            self._connection.executemany("UPDATE positions SET last_sequence = ? WHERE bucket = ?", places)

    def records(self, bucket: str) -> Iterator[tuple[str, int, bytes]]:
        """Key, revision and bytes of every record of a bucket."""
        statement = "SELECT key, revision, record FROM records WHERE bucket = ? ORDER BY key"
        return self._connection.execute(statement, (bucket,))

    def find(self, bucket: str, key: str) -> tuple[bytes, int] | None:
        """Bytes and revision of one record; for the event loop's thread."""
        statement = "SELECT record, revision FROM records WHERE bucket = ? AND key = ?"
        found = self._lookup.execute(statement, (bucket, key)).fetchone()
        return None if found is None else (found[0], found[1])

    def store(self) -> KnownStore:
        """Which store the rows are of."""
        found = self._connection.execute("SELECT store_id, told_sequence FROM store").fetchone()
        return KnownStore() if found is None else KnownStore(found[0], found[1])

    def set_store(self, known: KnownStore) -> None:
        """Remember the store."""
        statement = "INSERT OR REPLACE INTO store VALUES (1, ?, ?)"
        self._connection.execute(statement, (known.store_id, known.told_sequence))

    def forget_positions(self, known: KnownStore) -> None:
        """Take the rows to be of another store, which holds all of them: follow it from its beginning.

        In one commit; the rows stay.
        """
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM position")
            self._connection.execute("DELETE FROM positions")
            self._connection.execute("UPDATE jobs SET revision = 0")
            self._connection.execute("UPDATE records SET revision = 0")
            self._connection.execute(
                "INSERT OR REPLACE INTO store VALUES (1, ?, ?)", (known.store_id, known.told_sequence)
            )

    def _check_records(self) -> None:
        try:
            for bucket, key, data, kept in self._connection.execute(
                "SELECT bucket, key, record, checksum FROM records"
            ):
                if checksum(data) != kept:
                    raise ProjectionDamaged(f"the record {key} of the bucket {bucket} in the projection has gone bad")
        except sqlite3.DatabaseError as error:
            raise ProjectionDamaged(f"the projection cannot be read: {error}") from error
