"""`headway recover`: brings the records back into a store that lost them, from the gateway's own files."""

import secrets
from collections import Counter
from contextlib import aclosing
from pathlib import Path

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.projection.mirror_table import KnownStore
from gateway.projection.view import Projection
from gateway.recovery.blob_check import BlobVerdict, check_blobs
from gateway.recovery.narrator import Json, Narrator
from gateway.recovery.record_copy import RecordCopy, read_copy
from gateway.recovery.seeding import Seeding
from gateway.recovery.told import told_until
from gateway.store_access import StoreAccess, open_store
from gateway.store_file import write_store_id
from gateway.store_watch import MIRRORED, STORE_KEY, find_store
from headway.contract.errors import Code, HeadwayError
from headway.contract.states import state_name
from headway.contract.subjects import JOBS, SETTINGS
from headway.contract.times import timestamp
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoint
from headway.v1.records_pb2 import StoreRecord


class OtherStore(HeadwayError):
    """The store holds the records of another headway; bringing others into it would mix the two."""

    reason = "OTHER_STORE"
    code = Code.FAILED_PRECONDITION


async def recover(bus: Bus, folder: Path, clock: Clock, narrator: Narrator) -> bool:
    """Bring the records back; done again after it was broken off, it goes on.

    Args:
        bus: the store, provisioned.
        folder: the gateway's files.
        clock: for times.
        narrator: is told what happens and what was done.

    Returns:
        Whether everything that was known is there again.

    Raises:
        OtherStore: the store is somebody else's.
        StoreLost, ProjectionDamaged: there is no second copy.
        StoreUnavailable, DiskFull: nothing is undone; do it again.
    """
    store = await open_store(bus, folder, clock)
    async with aclosing(store.projection):
        if not store.watch.is_lost:
            narrator.report({"state": "whole", "store_id": store.projection.mirror.store.store_id})
            return True
        await _refuse_other_store(bus, store)
        copy = await _copy_of(store.projection)
        seeding = Seeding(bus, clock, lambda done: narrator.progress("records", done, copy.num_records, "records"))
        told = told_until(store.projection.mirror.store.told_sequence, copy.jobs.values())
        await seeding.write(copy, told)
        failpoint("recover.identity")
        store_id = await make_identity(bus, clock, recovered=store.projection.mirror.store.store_id)
        failpoint("recover.take_over")
        await store.projection.mirror.take_over(KnownStore(store_id))
        write_store_id(folder, store_id)
        verdict = await look_at_blobs(folder, copy, narrator)
    narrator.report(
        {
            "state": "recovered",
            "why": store.watch.why,
            "store_id": store_id,
            **seeding_report(seeding),
            **copy_report(copy, verdict),
        }
    )
    return not (verdict.missing or verdict.damaged or copy.unreadable)


async def make_identity(bus: Bus, clock: Clock, *, recovered: str) -> str:
    """Make a store one that can be known again; the last step, so that a broken one is seen to be unfinished."""
    record = StoreRecord(
        store_id=secrets.token_hex(16), create_time=timestamp(clock.now()), recovered_store_id=recovered
    )
    await bus.records(SETTINGS, StoreRecord).put(STORE_KEY, record)
    return record.store_id


async def look_at_blobs(folder: Path, copy: RecordCopy, narrator: Narrator) -> BlobVerdict:
    """Read every blob that the records name."""
    blobs = list(copy.blobs())
    total = sum(blob.size_bytes for blob in blobs)
    store = BlobStore(folder / "blobs", BlobSettings())
    async with DiskThreads(1) as threads:
        return await threads.run(
            check_blobs, store, blobs, lambda done: narrator.progress("checking files", done, total, "bytes")
        )


def seeding_report(seeding: Seeding) -> dict[str, Json]:
    """What a report says of the records that were written into a store."""
    return {
        "records": {bucket: dict(counts) for bucket, counts in seeding.counts.items()},
        "made_model_versions": seeding.made_versions,
    }


def copy_report(copy: RecordCopy, verdict: BlobVerdict) -> dict[str, Json]:
    """What a report says of the records, and of the blobs that they name."""
    return {
        "jobs_by_state": dict(Counter(state_name(job.job.state) for _, job in copy.jobs.values())),
        "unreadable_records": copy.unreadable,
        "num_blobs": verdict.num_whole,
        "num_blob_bytes": verdict.num_bytes,
        "missing_blobs": verdict.missing,
        "damaged_blobs": verdict.damaged,
    }


async def _refuse_other_store(bus: Bus, store: StoreAccess) -> None:
    """An empty store is welcome, and so is one that this very recovery began to fill."""
    found = await find_store(bus)
    mine = store.projection.mirror.store.store_id
    if not found.store_id or found.store_id == mine:
        return
    record = await bus.records(SETTINGS, StoreRecord).find(STORE_KEY)
    is_begun = record is not None and record.value.recovered_store_id == mine
    if not is_begun and (await bus.stream_state(JOBS)).num_messages:
        raise OtherStore(
            "this nats-server holds the records of another headway; name the one that lost its store with --home or "
            "HEADWAY_NATS_URL"
        )


async def _copy_of(projection: Projection) -> RecordCopy:
    raw = {bucket.name: await projection.mirror.records(bucket.name) for bucket in MIRRORED}
    return read_copy({JOBS.name: await projection.records(), **raw})
