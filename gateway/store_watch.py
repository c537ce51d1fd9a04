"""Watches whether the store is still the one that this gateway knows, and meets one for the first time."""

import asyncio
import secrets
from collections.abc import Sequence

from gateway.projection.mirror_table import KnownStore
from gateway.projection.view import Projection
from gateway.store_guard import Place, StoreFacts, store_lost, why_lost
from headway.contract.errors import HeadwayError, StoreUnavailable
from headway.contract.subjects import (
    BUCKETS,
    DATASETS,
    JOB_EVENTS_CONSUMER,
    JOBS,
    KEYS,
    MODELS,
    SETTINGS,
    STREAMS,
    BucketSpec,
)
from headway.contract.times import timestamp
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.records import RecordExists
from headway.v1.records_pb2 import StoreRecord

_log = get_logger(__name__)
MIRRORED = (MODELS, DATASETS, SETTINGS, KEYS)
"""The buckets beside `jobs` that have a second copy in the gateway's files."""

STORE_KEY = "store"
"""Key of the record in the bucket `settings` that says which store this is."""

LOOK_SECONDS = 2.0
"""How often the store is looked at while nothing hints at a loss. A write that met another store is not acknowledged,
whenever that happens."""


class StoreIsBack(Exception):
    """The store that was lost is there again: the gateway must begin anew."""


class StoreWatch:
    """Implements `Guard` for one gateway."""

    def __init__(self, bus: Bus, projection: Projection, clock: Clock) -> None:
        """Args: bus: the store. projection: what is known of it. clock: for the time between looks."""
        self._bus = bus
        self._projection = projection
        self._clock = clock
        self._records = bus.records(SETTINGS, StoreRecord)
        self._news = asyncio.Event()
        self.lost = asyncio.Event()
        """Set once the store is known to be lost."""
        self.why = ""
        """Why the store is lost; empty while it is not."""

    @property
    def is_lost(self) -> bool:
        """Whether the store is known to be lost."""
        return bool(self.why)

    def check(self) -> None:
        """Refuse a write while the store is lost (StoreLost)."""
        if self.why:
            raise store_lost(self.why)

    async def check_now(self) -> None:
        """As `check`, after a look (StoreLost, StoreUnavailable)."""
        await self.look()
        self.check()

    def declare(self, why: str) -> None:
        """Somebody has seen that the store is lost."""
        if not self.why:
            self.why = why
            _log.error("STORE_LOST: stop headway and run `headway recover`; writes are refused, reads go on", why=why)
        self.lost.set()
        self._news.set()

    async def meet(self) -> None:
        """Look for the first time, before anything is served; a store that nobody has used yet gets its identity.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        known, found = await self._known(), await find_store(self._bus)
        why = why_lost(known, found)
        if why:
            self.declare(why)
            return
        if not known.store_id:
            await self._projection.mirror.remember(KnownStore(found.store_id or await self._make_identity()))

    async def look(self) -> bool:
        """Ask the store anew; returns whether it is lost."""
        if self.why:
            return True
        # The other buckets are looked at by those who follow them; all of them at every start.
        place = Place(self._projection.stream_created, self._projection.newest_revision)
        known = StoreFacts(self._projection.mirror.store.store_id, {JOBS.name: place})
        why = why_lost(known, await find_store(self._bus, (JOBS,)))
        if why:
            self.declare(why)
        return self.is_lost

    async def run(self) -> None:
        """Look for ever. A loop of the service.

        Raises:
            StoreIsBack: the store that was lost is there again.
        """
        while True:
            await self._clock.wait_for_event(self._news, LOOK_SECONDS)
            self._news.clear()
            try:
                if self.is_lost:
                    await self._wait_for_store()
                elif not await self.look():
                    await self._note_told()
            except HeadwayError as error:
                _log.debug("the store does not answer", why=error.message)

    async def _wait_for_store(self) -> None:
        """Go on when the very store comes back, such as a disk that was not mounted."""
        found = await find_store(self._bus)
        if any(place.created is None for place in found.places.values()):
            # Others follow these streams too; in an empty store nobody else may make them.
            await self._bus.provision(BUCKETS, STREAMS)
        elif not why_lost(await self._known(), found):
            raise StoreIsBack

    async def _known(self) -> StoreFacts:
        """What the gateway's own files say."""
        mirror = self._projection.mirror
        places = {bucket.name: Place(*await mirror.position(bucket.name)) for bucket in MIRRORED}
        return StoreFacts(mirror.store.store_id, {JOBS.name: Place(*await self._projection.position()), **places})

    async def _note_told(self) -> None:
        """Keep how far the events are out: it is what the stream of events would tell, were it not lost too."""
        told = await self._bus.acknowledged(JOBS, JOB_EVENTS_CONSUMER)
        known = self._projection.mirror.store
        if told > known.told_sequence:
            await self._projection.mirror.remember(KnownStore(known.store_id, told))

    async def _make_identity(self) -> str:
        record = StoreRecord(store_id=secrets.token_hex(16), create_time=timestamp(self._clock.now()))
        try:
            await self._records.create(STORE_KEY, record)
        except RecordExists:
            found = await self._records.find(STORE_KEY)
            if found is None:
                raise StoreUnavailable("the store's identity changes; start again") from None
            return found.value.store_id
        return record.store_id


async def find_store(bus: Bus, buckets: Sequence[BucketSpec] = (JOBS, *MIRRORED)) -> StoreFacts:
    """What the store says of itself. Raises StoreUnavailable when it does not answer."""
    places = {bucket.name: await _place(bus, bucket) for bucket in buckets}
    try:
        record = await bus.records(SETTINGS, StoreRecord).find(STORE_KEY)
    except StreamMissing:
        record = None
    return StoreFacts(record.value.store_id if record is not None else "", places)


async def _place(bus: Bus, bucket: BucketSpec) -> Place:
    try:
        state = await bus.stream_state(bucket)
    except StreamMissing:
        return Place()
    return Place(state.created, state.last_sequence)
