"""Keeps what was told in the bucket `notifier`, so that a restart tells nothing twice and skips nothing."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import EVENTS
from headway.contract.times import moment, timestamp
from headway.runtime.bus import Bus, StreamState
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.records import Records, record_key
from headway.v1.records_pb2 import JobPlace as JobPlaceRecord
from headway.v1.records_pb2 import NotifierRecord
from notifier.places import JobPlaces, Place, Settled

_log = get_logger(__name__)

NEW_SINK_LOOKS_BACK = timedelta(hours=1)
"""A sink that is new tells what happened within the last hour: nobody wants a month of it as the first message."""

_RETRY_SECONDS = 0.5


def ledger_key(sink: str) -> str:
    """Where the record of a sink lies in the bucket."""
    return record_key("delivered", sink)


class Ledger:
    """The record of one sink, made by `open_ledger`.

    The record is written after a message was sent and before its events are acknowledged: a crash between sending and
    writing repeats that one message, a crash after it repeats nothing. With `intend` it is written before as well, so
    that the repeat is the same message, with the same nonce, which the other side can drop.
    """

    def __init__(
        self, sink: str, records: Records[NotifierRecord], state: StreamState, kept: NotifierRecord, clock: Clock
    ) -> None:
        """Go on from `kept`; see `open_ledger`."""
        self.sink = sink
        self._key = ledger_key(sink)
        self._records = records
        self._stream_create_time = timestamp(state.created)
        self._clock = clock
        self._writing = asyncio.Lock()
        self.revision: int | None = None
        self.begin_time = moment(kept.begin_time)
        self.sending = frozenset(kept.sending)
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
        settled = frozenset(sequences)
        self.settled.settle(settled, now_seconds=self._clock.monotonic())
        self.sending -= settled
        await self.write_down()

    def pass_over(self, sequence: int) -> None:
        """Nobody need be told of this. It is written down with the next that is told: to see it again costs little."""
        self.settled.settle((sequence,), now_seconds=self._clock.monotonic())

    async def intend(self, sequences: Iterable[int]) -> None:
        """Write down that a message with these is sent next; waits as `settle` does."""
        sending = frozenset(sequences)
        if sending != self.sending:
            self.sending = sending
            await self.write_down()

    async def write_down(self) -> None:
        """Bring the record up to date; waits and raises as `settle` does."""
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
            begin_time=timestamp(self.begin_time),
            sending=sorted(self.sending),
        )
        if self.revision is None:
            self.revision = await self._records.create(self._key, record)
        else:
            self.revision = await self._records.update(self._key, record, self.revision)


async def open_ledger(bus: Bus, records: Records[NotifierRecord], sink: str, clock: Clock) -> Ledger:
    """Read the record of a sink; a stream that was made anew begins a new one.

    Raises:
        StreamMissing: the stream EVENTS does not exist.
        StoreUnavailable: the server does not answer.
    """
    state = await bus.stream_state(EVENTS)
    found = await records.find(ledger_key(sink))
    kept = found.value if found is not None else NotifierRecord()
    if kept.stream_create_time != timestamp(state.created):
        if found is not None:
            _log.warning("the stream of events was made anew; telling it from its beginning", sink=sink)
        kept = NotifierRecord(begin_time=kept.begin_time if kept.HasField("begin_time") else None)
    if not kept.HasField("begin_time"):
        kept.begin_time.CopyFrom(timestamp(clock.now() - NEW_SINK_LOOKS_BACK))
    ledger = Ledger(sink, records, state, kept, clock)
    ledger.revision = found.revision if found is not None else None
    if found is None:
        # At once: a sink that is out from its first day on must not begin later with each start.
        await ledger.write_down()
    return ledger
