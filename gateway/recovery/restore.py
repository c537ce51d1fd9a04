"""`headway restore`: a new headway from a backup."""

from pathlib import Path

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.recovery.backup_folder import read_manifest, read_records
from gateway.recovery.blob_check import BlobVerdict
from gateway.recovery.blob_copy import copy_blobs
from gateway.recovery.narrator import Narrator
from gateway.recovery.record_copy import RecordCopy, read_copy
from gateway.recovery.recover import copy_report, make_identity, seeding_report
from gateway.recovery.seeding import Seeding
from gateway.recovery.told import told_until
from gateway.store_lock import begin_restore, end_restore, is_restoring
from gateway.store_watch import find_store
from headway.contract.errors import Code, HeadwayError
from headway.contract.subjects import JOBS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock


class HomeNotEmpty(HeadwayError):
    """A backup is restored into a home and a store that hold nothing yet."""

    reason = "HOME_NOT_EMPTY"
    code = Code.FAILED_PRECONDITION


async def restore(bus: Bus, folder: Path, source: Path, clock: Clock, narrator: Narrator) -> bool:
    """Bring everything of a backup into an empty store; done again after it was broken off, it goes on.

    Args:
        bus: the store, provisioned.
        folder: for the gateway's files.
        source: the backup.
        clock: for times.
        narrator: is told what happens and what was done.

    Returns:
        Whether everything that the backup names is there.

    Raises:
        NotABackup: the folder holds none that is whole.
        HomeNotEmpty: the home or the store holds something.
        StoreUnavailable, DiskFull: do it again.
    """
    async with DiskThreads(1) as threads:
        manifest = await threads.run(read_manifest, source)
        copy = read_copy(await threads.run(read_records, source, manifest))
        await _refuse_full_home(bus, folder)
        begin_restore(folder)
        verdict = await threads.run(_copy_blobs, source, folder, copy, narrator)
        seeding = Seeding(bus, clock, lambda done: narrator.progress("records", done, copy.num_records, "records"))
        await seeding.write(copy, told_until(manifest.told_sequence, copy.jobs.values()))
        store_id = await make_identity(bus, clock, recovered=manifest.store_id)
        end_restore(folder)
    narrator.report(
        {
            "state": "restored",
            "backup_time": manifest.create_time.isoformat(),
            "store_id": store_id,
            **seeding_report(seeding),
            **copy_report(copy, verdict),
        }
    )
    return not (verdict.missing or verdict.damaged or copy.unreadable)


async def _refuse_full_home(bus: Bus, folder: Path) -> None:
    if is_restoring(folder):
        return
    found = await find_store(bus)
    is_used = (folder / "projection.db").exists() or (folder / "blobs").exists()
    if is_used or found.store_id or (await bus.stream_state(JOBS)).num_messages:
        raise HomeNotEmpty(
            "the home or its store holds something already; name an empty home with --home, and move nothing into it"
        )


def _copy_blobs(source: Path, folder: Path, copy: RecordCopy, narrator: Narrator) -> BlobVerdict:
    blobs = list(copy.blobs())
    total = sum(blob.size_bytes for blob in blobs)
    copies, store = BlobStore(source / "blobs", BlobSettings()), BlobStore(folder / "blobs", BlobSettings())
    return copy_blobs(copies, store, blobs, lambda done: narrator.progress("copying files", done, total, "bytes"))
