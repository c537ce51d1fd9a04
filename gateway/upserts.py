"""Changes a record, or creates it when there is none; of two that create at once, the later changes the other's."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from gateway.bucket_index import BucketIndex
from headway.runtime.records import RecordExists, RecordMissing, Records

M = TypeVar("M", bound=Message)


async def upsert(records: Records[M], index: BucketIndex[M], key: str, decide: Callable[[M], M | None], empty: M) -> M:
    """Write what `decide` makes of the record, or of `empty`.

    Args:
        records: the bucket.
        index: shown the write.
        key: of the record.
        decide: pure; may be called several times; None leaves the record as it is.
        empty: what a record that does not exist counts as; not changed.

    Returns:
        The record as it now is.
    """
    while True:
        try:
            stored = await records.change(key, decide)
        except RecordMissing:
            record = decide(empty)
            if record is None:
                return empty
            try:
                revision = await records.create(key, record)
            except RecordExists:
                continue
            index.note(key, record, revision)
            return record
        index.note(key, stored.value, stored.revision)
        return stored.value
