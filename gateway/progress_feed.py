"""Follows the progress of all jobs, whichever gateway their hosts report to."""

import math
from datetime import timedelta

from google.protobuf.json_format import ParseDict, ParseError
from pydantic_core import from_json

from gateway.watch_hub import WatchHub
from headway.contract.subjects import PROGRESS
from headway.contract.times import duration
from headway.runtime.bus import Bus
from headway.runtime.feeds import LAST_PER_SUBJECT, Message
from headway.runtime.logs import get_logger
from headway.v1.events_pb2 import JobProgressEvent
from headway.v1.jobs_pb2 import AttemptPhase, Progress

_log = get_logger(__name__)


class ProgressFeed:
    """Hands every progress event to the watch hub. Lossy, as progress is."""

    def __init__(self, bus: Bus, hub: WatchHub) -> None:
        self._bus = bus
        self._hub = hub

    async def run(self) -> None:
        """Follow for ever. A loop of the service."""
        async with self._bus.feed(PROGRESS, start=LAST_PER_SUBJECT, restart_when_replaced=True) as feed:
            async for message in feed:
                self._take(message)

    def _take(self, message: Message) -> None:
        try:
            event = read_progress_event(message.data)
        except (ValueError, ParseError):
            # Anybody with a NATS password may have written it; one bad message must not end the loop.
            _log.warning("a progress event cannot be read", subject=message.subject, sequence=message.sequence)
            return
        self._hub.saw_progress(event.run_id, progress_of_event(event))


def read_progress_event(body: bytes) -> JobProgressEvent:
    """The data of a progress CloudEvent.

    Raises:
        ValueError: not a CloudEvent in JSON.
        ParseError: its data is not a JobProgressEvent.
    """
    # Not json.loads: it recurses, and anybody may send brackets.
    match from_json(body):
        case {"data": dict(data)}:
            return ParseDict(data, JobProgressEvent(), ignore_unknown_fields=True)
        case _:
            raise ValueError("not a CloudEvent with data")


def progress_of_event(event: JobProgressEvent) -> Progress:
    """The progress that an event tells of."""
    progress = Progress(
        attempt=event.attempt,
        phase=_phase(event.phase),
        message=event.message,
        epoch=event.epoch,
        total_epochs=event.total_epochs,
        step=event.step,
        total_steps=event.total_steps,
        loss=event.loss,
        best_loss=math.nan,
        learning_rate=event.learning_rate,
        samples_per_second=event.samples_per_second,
        memory_bytes=event.memory,
    )
    if event.eta_seconds >= 0:
        progress.eta.CopyFrom(duration(timedelta(seconds=event.eta_seconds)))
    return progress


def _phase(word: str) -> "AttemptPhase.ValueType":
    return dict(AttemptPhase.items()).get(f"ATTEMPT_PHASE_{word.upper()}", AttemptPhase.ATTEMPT_PHASE_UNSPECIFIED)
