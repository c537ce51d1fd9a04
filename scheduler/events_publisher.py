"""Publishes one event for each transition, in order, exactly once: the record's history is the outbox.

A durable consumer of the bucket hands over each record until it is acknowledged. Which of its transitions are out
already is read from the stream of events itself, whose newest message of a job names its transition; so a crash between
publishing and acknowledging is repaired by redelivery, however much later (notes on NATS, 9.8).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from headway.contract.cloud_events import Clean, OutwardEvent
from headway.contract.errors import HeadwayError
from headway.contract.events import job_event, transition_number
from headway.contract.ids import JobName
from headway.contract.subjects import EVENTS, JOBS, all_job_events_subject
from headway.contract.times import moment
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import MessageTooLarge
from headway.runtime.clock import Clock
from headway.runtime.feeds import Durable, Message, PoisonMessage, handle_each
from headway.runtime.logs import get_logger
from headway.v1.jobs_pb2 import Job
from headway.v1.records_pb2 import JobRecord
from scheduler.job_index import parse_record

_log = get_logger(__name__)
CONSUMER = Durable(name="scheduler-events", ack_wait_seconds=3.0, max_ack_pending=256)
"""What a killed scheduler had been given comes again after three seconds: so late are its last events at most. A
message that comes again while it is still being worked on does no harm, since the cursor knows what is out."""
_MESSAGE_ID = "Nats-Msg-Id"
_CURSORS_KEPT = 10_000
_TRUSTED_SECONDS = EVENTS.duplicate_window.total_seconds() / 2
"""A place is read anew from the stream when it was last known so long ago: another process may have published since, as
during a freeze of this one. What is published twice within the stream's window the server drops by itself."""


@dataclass(frozen=True, slots=True)
class _Place:
    """How far one job's events are out: up to this transition at least, as of a moment in monotonic seconds."""

    number: int
    known_at: float


class EventsPublisher:
    """Turns transitions into events."""

    def __init__(self, bus: Bus, clock: Clock, *, clean: Clean) -> None:
        """Args: bus: for the feed and the events. clock: for times. clean: takes secrets and paths out of a text."""
        self._bus = bus
        self._clock = clock
        self._clean = clean
        self._places: OrderedDict[str, _Place] = OrderedDict()

    async def run(self) -> None:
        """Publish for ever. A record that cannot be read is set aside and never stops the rest."""
        async with self._bus.feed(JOBS, durable=CONSUMER) as feed:
            await handle_each(feed, self.publish_due)

    async def publish_due(self, message: Message) -> None:
        """Publish what is new in one record.

        Raises:
            PoisonMessage: it is no record of a job.
            StoreUnavailable: not everything was published; the record comes again.
        """
        if message.is_deleted:
            self._places.pop(message.key, None)
            return
        try:
            record = parse_record(message.key, message.data)
        except ValueError as error:
            raise PoisonMessage(str(error)) from error
        # Forgotten until all is published: after an error the place is read from the stream again.
        place = await self._place(record.job, self._places.pop(message.key, None))
        for number, event in due_events(record, place.number, now=self._clock.now(), clean=self._clean):
            place = await self._place(record.job, place)
            if number > place.number:
                await self._publish(event)
                place = _Place(number, place.known_at)
        self._remember(message.key, place)

    async def _place(self, job: Job, known: _Place | None) -> _Place:
        """The place as known, unless that was too long ago."""
        now = self._clock.monotonic()
        if known is not None and now - known.known_at < _TRUSTED_SECONDS:
            return known
        return _Place(await self._published(job), now)

    async def _published(self, job: Job) -> int:
        name = JobName.parse(job.name)
        last = await self._bus.last_message(EVENTS, all_job_events_subject(name.project, name.job_id))
        return transition_number(last.headers.get(_MESSAGE_ID, "")) if last is not None else 0

    async def _publish(self, event: OutwardEvent) -> None:
        try:
            await self._bus.publish(event.subject, event.body, message_id=event.message_id, headers=event.headers)
        except MessageTooLarge as error:
            _log.error("event left out", event_id=event.message_id, why=str(error))

    def _remember(self, job_id: str, place: _Place) -> None:
        self._places[job_id] = place
        if len(self._places) > _CURSORS_KEPT:
            self._places.popitem(last=False)


def due_events(
    record: JobRecord, cursor: int, *, now: datetime, clean: Clean, kept: timedelta = EVENTS.max_age
) -> Iterator[tuple[int, OutwardEvent]]:
    """The events that are not out yet, in order, each with the number of its transition.

    Args:
        record: as it now is.
        cursor: number of the newest transition that is out; 0 when the stream of events holds none of this job.
        now: to leave out, when the stream holds none, what was published so long ago that the stream let go of it.
        clean: takes secrets and paths out of names and errors: an event must not say what a log may not.
        kept: how long the stream keeps an event.
    """
    for transition in record.job.transitions:
        is_out = transition.number <= cursor
        is_older_than_the_stream = cursor == 0 and moment(transition.occur_time) < now - kept
        if is_out or is_older_than_the_stream:
            continue
        try:
            event = job_event(record.job, transition, clean)
        except (HeadwayError, ValueError) as error:
            _log.error("event cannot be made", job=record.job.name, transition=transition.number, why=str(error))
            continue
        if event is not None:
            yield transition.number, event
