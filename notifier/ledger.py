"""Keeps what was told in the bucket `notifier`, so that a restart tells nothing twice and skips nothing."""

import asyncio
from collections.abc import Iterable

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import EVENTS
from headway.contract.times import timestamp
from headway.runtime.bus import Bus, StreamState
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.records import Records
from headway.v1.records_pb2 import JobPlace as JobPlaceRecord
from headway.v1.records_pb2 import NotifierRecord
from notifier.places import JobPlaces, Place, Settled

_log = get_logger(__name__)

KEY = "delivered"
_RETRY_SECONDS = 0.5


class Ledger:
    """The record of one notifier, made by `open_ledger`.

    The record is written after a message was sent and before its events are acknowledged: a crash between sending and
    writing repeats that one message, a crash after it repeats nothing.
    """

    def __init__(
        self, records: Records[NotifierRecord], state: StreamState, kept: NotifierRecord, clock: Clock
    ) -> None:
        """Go on from `kept`; see `open_ledger`."""
        self._records = records
        self._stream_create_time = timestamp(state.created)
        self._clock = clock
        self._writing = asyncio.Lock()
        self.revision: int | None = None
        self.settled = Settled(kept.delivered_sequence, kept.delivered_ahead)
        self.settled.begin_at(state.first_sequence, now_seconds=clock.monotonic())
        self.places = JobPlaces(
            (place.job_id, Place(place.stream_sequence, place.transition_number)) for place in kept.job_places
        )

    @property
    def next_sequence(self) -> int:
        """Of the first event that may need telling."""
        return self.settled.through + 1

    async def settle(self, sequences: Iterable[int]) -> None:
        """Write down that these were told or set aside; waits for the store as long as it takes.

        Raises:
            Conflict: another notifier writes the same record; this one must end, or people are told everything twice.
        """
        self.settled.settle(sequences, now_seconds=self._clock.monotonic())
        async with self._writing:
            while True:
                try:
                    await self._write()
                except StoreUnavailable as error:
                    _log.warning("what was told could not be written down; trying again", why=error.message)
                    await self._clock.sleep(_RETRY_SECONDS)
                else:
                    return

    async def _write(self) -> None:
        record = NotifierRecord(
            stream_create_time=self._stream_create_time,
            delivered_sequence=self.settled.through,
            delivered_ahead=self.settled.ahead,
            job_places=[
                JobPlaceRecord(
                    job_id=job_id,
                    stream_sequence=place.stream_sequence,
                    transition_number=place.transition_number,
                )
                for job_id, place in self.places.items()
            ],
        )
        if self.revision is None:
            self.revision = await self._records.create(KEY, record)
        else:
            self.revision = await self._records.update(KEY, record, self.revision)


async def open_ledger(bus: Bus, records: Records[NotifierRecord], clock: Clock) -> Ledger:
    """Read the record; a stream that was made anew begins a new one.

    Raises:
        StreamMissing: the stream EVENTS does not exist.
        StoreUnavailable: the server does not answer.
    """
    state = await bus.stream_state(EVENTS)
    found = await records.find(KEY)
    kept = found.value if found is not None else NotifierRecord()
    if kept.stream_create_time != timestamp(state.created):
        if found is not None:
            _log.warning("the stream of events was made anew; telling it from its beginning")
        kept = NotifierRecord()
    ledger = Ledger(records, state, kept, clock)
    ledger.revision = found.revision if found is not None else None
    return ledger
