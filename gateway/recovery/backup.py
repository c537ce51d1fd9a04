"""`headway backup`: a consistent copy of everything, while headway runs.

First the records, then every blob that they name. Blobs are never changed, and are not deleted for hours after their
last use, so all of them are there whatever happens meanwhile. Models are read before jobs: then no model is in the copy
whose job has not succeeded in it. The opposite, a job whose model was registered a moment later, is mended when the
copy is restored.
"""

from pathlib import Path

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.recovery.backup_folder import FORMAT, BackupManifest, prepare_folder, write_manifest, write_records
from gateway.recovery.blob_check import BlobVerdict
from gateway.recovery.blob_copy import copy_blobs
from gateway.recovery.narrator import Narrator
from gateway.recovery.record_copy import Raw, RecordCopy, read_copy
from gateway.recovery.recover import copy_report
from gateway.store_file import read_store_id
from gateway.store_guard import StoreFacts, store_lost, why_lost
from gateway.store_watch import find_store
from headway.contract.subjects import DATASETS, JOB_EVENTS_CONSUMER, JOBS, KEYS, MODELS, SETTINGS, BucketSpec
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, stored

_ORDER = (MODELS, JOBS, DATASETS, SETTINGS, KEYS)


async def back_up(bus: Bus, folder: Path, target: Path, clock: Clock, narrator: Narrator) -> bool:
    """Copy everything into a folder.

    Args:
        bus: the store.
        folder: the gateway's files.
        target: where the backup goes.
        clock: for times.
        narrator: is told what happens and what was done.

    Returns:
        Whether every blob that the records name was there and whole.

    Raises:
        FolderNotEmpty: `target` is not.
        StoreLost: there is nothing in the store to copy.
        StoreUnavailable: the store does not answer.
        OSError: `target` cannot be written.
    """
    found, store_id = await find_store(bus), read_store_id(folder)
    if why := why_lost(StoreFacts(store_id), found):
        raise store_lost(why)
    create_time = clock.now()
    told_sequence = await bus.acknowledged(JOBS, JOB_EVENTS_CONSUMER)
    raw = {bucket.name: await read_bucket(bus, bucket) for bucket in _ORDER}
    async with DiskThreads(1) as threads:
        await threads.run(prepare_folder, target)
        digests = {name: await threads.run(write_records, target, name, records) for name, records in raw.items()}
        copy = read_copy(raw)
        verdict = await threads.run(_copy_blobs, folder, target, copy, narrator)
        manifest = BackupManifest(
            format=FORMAT,
            create_time=create_time,
            store_id=found.store_id,
            told_sequence=told_sequence,
            records=digests,
            num_records=sum(len(records) for records in raw.values()),
            num_blobs=verdict.num_whole,
            num_blob_bytes=verdict.num_bytes,
            missing_blobs=[*verdict.missing, *verdict.damaged],
        )
        await threads.run(write_manifest, target, manifest)
    narrator.report(
        {
            "state": "backed_up",
            "folder": str(target),
            "num_records": manifest.num_records,
            **copy_report(copy, verdict),
        }
    )
    return not (verdict.missing or verdict.damaged or copy.unreadable)


async def read_bucket(bus: Bus, bucket: BucketSpec) -> list[Raw]:
    """The newest revision of every record of a bucket."""
    async with bus.feed(bucket, start=LAST_PER_SUBJECT) as feed:
        records = [(one.key, one.sequence, one.data) async for one in stored(feed) if not one.is_deleted]
    # A record that changed while it was read came twice: the later one counts.
    return list({key: (key, revision, data) for key, revision, data in records}.values())


def _copy_blobs(folder: Path, target: Path, copy: RecordCopy, narrator: Narrator) -> BlobVerdict:
    blobs = list(copy.blobs())
    total = sum(blob.size_bytes for blob in blobs)
    source, copies = BlobStore(folder / "blobs", BlobSettings()), BlobStore(target / "blobs", BlobSettings())
    return copy_blobs(source, copies, blobs, lambda done: narrator.progress("copying files", done, total, "bytes"))
