"""Publishes one event for each transition, in order, exactly once: the record's history is the outbox.

A durable consumer of the bucket hands over each record until it is acknowledged. Which of its transitions are out
already is read from the stream of events itself, whose newest message of a job names its transition; so a crash between
publishing and acknowledging is repaired by redelivery, however much later (notes on NATS, 9.8).

Each event is published only if the job's newest one is still the one that was read: a compare-and-set, as all else. So
events of a job never go back, whoever else publishes, and each names the one before it truly, also where a record has
let go of checkpoints that were never told.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from headway.contract.cloud_events import Clean, OutwardEvent
from headway.contract.errors import HeadwayError, NotLeader, StoreUnavailable
from headway.contract.events import job_event, transition_number
from headway.contract.ids import JobName
from headway.contract.kinds import INTERNAL_KINDS
from headway.contract.subjects import EVENTS, JOB_EVENTS_CONSUMER, JOBS, all_job_events_subject
from headway.contract.times import moment
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import MessageTooLarge, SequenceConflict
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoints_around
from headway.runtime.feeds import Durable, Message, PoisonMessage, handle_each
from headway.runtime.logs import get_logger
from headway.v1.jobs_pb2 import Job
from headway.v1.records_pb2 import JobRecord
from scheduler.job_index import parse_record

_log = get_logger(__name__)
CONSUMER = Durable(name=JOB_EVENTS_CONSUMER, ack_wait_seconds=3.0, max_ack_pending=256)
"""What a killed scheduler had been given comes again after three seconds: so late are its last events at most. A
message that comes again while it is still being worked on does no harm, since the cursor knows what is out."""
_MESSAGE_ID = "Nats-Msg-Id"
_CURSORS_KEPT = 10_000
_TRIES = 8
"""Each time that it was overtaken somebody else has published: one of two at least comes to the end."""


@dataclass(frozen=True, slots=True)
class _Place:
    """How far one job's events are out: up to this transition, by the message of this sequence in the stream."""

    number: int
    sequence: int


class EventsPublisher:
    """Turns transitions into events."""

    def __init__(self, bus: Bus, clock: Clock, *, clean: Clean, is_leading: Callable[[], bool]) -> None:
        """Name the parts.

        Args:
            bus: for the feed and the events.
            clock: for times.
            clean: takes secrets and paths out of a text.
            is_leading: asked right before each event: only the leader publishes.
        """
        self._bus = bus
        self._clock = clock
        self._clean = clean
        self._is_leading = is_leading
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
            NotLeader: as before; it comes again to whoever leads.
        """
        if message.is_deleted:
            self._places.pop(message.key, None)
            return
        try:
            record = parse_record(message.key, message.data)
        except ValueError as error:
            raise PoisonMessage(str(error)) from error
        if record.job.kind in INTERNAL_KINDS:
            # Nobody's job, so nobody is told of it.
            return
        # Forgotten until all is published: after an error the place is read from the stream again.
        place = self._places.pop(message.key, None) or await self._place(record.job)
        for _ in range(_TRIES):
            try:
                place = await self._publish_from(place, record)
            except SequenceConflict:
                # The stream let go of the job's newest event, or somebody else has published since, as during a freeze.
                place = await self._place(record.job, at_least=place.number)
            else:
                self._remember(message.key, place)
                return
        raise StoreUnavailable(f"others publish the events of {record.job.name} at the same time")

    async def _publish_from(self, place: _Place, record: JobRecord) -> _Place:
        job = JobName.parse(record.job.name)
        subjects = all_job_events_subject(job.project, job.job_id)
        for number, event in due_events(record, place.number, now=self._clock.now(), clean=self._clean):
            place = _Place(number, await self._publish(event, subjects, place.sequence))
        return place

    async def _place(self, job: Job, *, at_least: int = 0) -> _Place:
        """The place as the stream tells; where it let go of the job's events, not before the one known to be out."""
        name = JobName.parse(job.name)
        last = await self._bus.last_message(EVENTS, all_job_events_subject(name.project, name.job_id))
        if last is None:
            return _Place(at_least, 0)
        return _Place(max(at_least, transition_number(last.headers.get(_MESSAGE_ID, ""))), last.sequence)

    async def _publish(self, event: OutwardEvent, subjects: str, last_sequence: int) -> int:
        """Publish behind the job's newest event; returns the sequence of the newest one then."""
        if not self._is_leading():
            raise NotLeader("another scheduler may lead by now, and publishes events")
        try:
            with failpoints_around("save.s8"):
                published = await self._bus.publish(
                    event.subject,
                    event.body,
                    message_id=event.message_id,
                    expect_last=last_sequence,
                    expect_subject=subjects,
                    headers=event.headers,
                )
        except MessageTooLarge as error:
            _log.error("event left out", event_id=event.message_id, why=str(error))
            return last_sequence
        return published.sequence

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
        cursor: number of the newest transition that is out; 0 when the stream of events holds none of this job, as
            after the loss of the store. What was told before that, the record says itself.
        now: to leave out, when the stream holds none, what was published so long ago that the stream let go of it.
        clean: takes secrets and paths out of names and errors: an event must not say what a log may not.
        kept: how long the stream keeps an event.
    """
    previous = max(cursor, record.last_told_transition)
    for transition in record.job.transitions:
        is_out = transition.number <= previous
        is_older_than_the_stream = cursor == 0 and moment(transition.occur_time) < now - kept
        if is_out or is_older_than_the_stream:
            continue
        try:
            event = job_event(record.job, transition, clean, previous=previous)
        except (HeadwayError, ValueError) as error:
            _log.error("event cannot be made", job=record.job.name, transition=transition.number, why=str(error))
            continue
        if event is not None:
            previous = transition.number
            yield transition.number, event
