"""The store as the gateway's parts use it: each bucket guarded, with its second copy."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from gateway.bucket_index import BucketIndex
from gateway.guarded_records import GuardedRecords
from gateway.mirror_feed import MirrorFeed
from gateway.noted_records import NotedRecords
from gateway.projection.schema import ProjectionDamaged, set_aside
from gateway.projection.view import Projection
from gateway.store_file import read_store_id, write_store_id
from gateway.store_guard import StoreFacts, store_lost, why_lost
from gateway.store_watch import MIRRORED, StoreWatch, find_store
from headway.contract.subjects import JOBS, BucketSpec
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.v1.records_pb2 import JobRecord

M = TypeVar("M", bound=Message)
_log = get_logger(__name__)
BEGIN_ANEW = (
    "restore a backup into an empty home (`headway restore FOLDER`), or, to begin with nothing, move the folder "
    "`gateway` of the home away"
)
Loop = Callable[[], Awaitable[None]]


class StoreAccess:
    """Opened by `open_store`.

    Attributes:
        projection: lists, and the second copy.
        watch: knows whether the store is lost.
        jobs: the jobs bucket.
    """

    def __init__(self, bus: Bus, projection: Projection, watch: StoreWatch, clock: Clock) -> None:
        """Args: bus: the store. projection: its second copy. watch: which of the two counts. clock: of waits."""
        self.projection = projection
        self.watch = watch
        self._bus = bus
        self._clock = clock
        guarded = GuardedRecords(bus.records(JOBS, JobRecord), projection.find, JobRecord, watch)
        self.jobs = NotedRecords(guarded, projection, watch)

    def records(self, bucket: BucketSpec, message_type: type[M]) -> GuardedRecords[M]:
        """One of the small buckets."""
        rows = partial(self.projection.mirror.find, bucket.name)
        return GuardedRecords(self._bus.records(bucket, message_type), rows, message_type, self.watch)

    def index(self, bucket: BucketSpec, message_type: type[M]) -> BucketIndex[M]:
        """A view in memory of one of the small buckets; its `run` is a loop of the service."""
        copy = partial(self.projection.mirror.records, bucket.name)
        return BucketIndex(self._bus, bucket, message_type, self._clock, guard=self.watch, copy=copy)

    def loops(self) -> Mapping[str, Loop]:
        """What keeps the second copy and the watch going, by name."""
        mirror = self.projection.mirror
        feeds = [MirrorFeed(self._bus, bucket, mirror, self.watch) for bucket in MIRRORED]
        return {
            "projection": self.projection.write_for_ever,
            "mirror": mirror.write_for_ever,
            "store": self.watch.run,
            **{f"mirror of {bucket.name}": feed.run for bucket, feed in zip(MIRRORED, feeds, strict=True)},
        }


async def open_store(bus: Bus, folder: Path, clock: Clock) -> StoreAccess:
    """Open the gateway's files, and see whether the store is theirs.

    Returns:
        The store, which may be lost: `watch.is_lost`.

    Raises:
        ProjectionDamaged: the files cannot be used, and the store is not known to hold what was in them.
        StoreLost: the store is lost, and there is no second copy of it.
        StoreUnavailable: the store does not answer.
    """
    store_id = read_store_id(folder)
    found = await find_store(bus)
    is_whole = bool(store_id) and store_id == found.store_id
    projection = _open_projection(folder / "projection.db", clock, is_whole=is_whole)
    watch = StoreWatch(bus, projection, clock)
    if store_id and not projection.mirror.store.store_id and found.store_id != store_id:
        await projection.aclose()
        raise store_lost(f"{why_lost(StoreFacts(store_id), found)}; the gateway's projection is gone too: {BEGIN_ANEW}")
    await watch.meet()
    if not watch.is_lost:
        write_store_id(folder, projection.mirror.store.store_id)
    return StoreAccess(bus, projection, watch, clock)


def _open_projection(path: Path, clock: Clock, *, is_whole: bool) -> Projection:
    """The projection; a file that cannot be used is set aside when the store is known to have all that was in it."""
    try:
        return Projection(path, clock)
    except ProjectionDamaged as error:
        if not is_whole:
            why = f"{error.message}, and the store is not the one that it knew"
            raise ProjectionDamaged(f"{why}: {BEGIN_ANEW}") from error
        aside = set_aside(path, clock)
        _log.error("the projection is damaged and is made anew from the store", why=error.message, kept_as=aside.name)
    return Projection(path, clock)
