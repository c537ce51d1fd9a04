"""Delivers events: sends messages, writes down what was told, then acknowledges. In that order.

An outage of the sink delays and never drops: the same events are planned anew after each failed try, so that the ends
of jobs go first when it is over. Only what the sink refuses, or what there are no words for, is set aside.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from headway.runtime.clock import Clock
from headway.runtime.feeds import Feed
from headway.runtime.logs import get_logger
from notifier.backlog import Backlog
from notifier.batching import BatchRules, Held, Send, next_step
from notifier.ledger import Ledger
from notifier.messages import Message, clean_message
from notifier.retry import retry_wait_seconds
from notifier.rules import section_of
from notifier.sinks import Sink, SinkRefused, SinkUnavailable

_log = get_logger(__name__)

_FINISH_LIMIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where and how messages go out.

    Attributes:
        sink: takes them.
        rules: what makes a message.
        redact: takes out secrets and paths.
        report_health: called with False when the sink begins to fail and True when it works again.
    """

    sink: Sink
    rules: BatchRules
    redact: Callable[[str], str]
    report_health: Callable[[bool], Awaitable[None]]


class Delivery:
    """One loop over the backlog."""

    def __init__(self, feed: Feed, ledger: Ledger, backlog: Backlog, outlet: Outlet, clock: Clock) -> None:
        self._feed = feed
        self._ledger = ledger
        self._backlog = backlog
        self._outlet = outlet
        self._clock = clock
        self._rules = outlet.rules
        self._num_failures = 0
        self.num_messages = 0
        self.num_refused = 0

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            self._backlog.changed.clear()
            now, now_seconds = self._clock.now(), self._clock.monotonic()
            step = next_step(self._backlog.held(), self._rules, now=now, now_seconds=now_seconds)
            if isinstance(step, Send):
                await self._try(step.batch)
            elif step.seconds is None:
                await self._backlog.changed.wait()
            else:
                await self._clock.wait_for_event(self._backlog.changed, step.seconds)

    async def finish(self) -> None:
        """Tell what waits without waiting for more; for the end of the service.

        What is left is told after the next start.
        """
        self._rules = replace(self._rules, window_seconds=0.0)
        self._backlog.changed.set()
        await self._clock.wait_for_event(self._backlog.emptied, _FINISH_LIMIT_SECONDS)

    async def _try(self, batch: Sequence[Held]) -> bool:
        """Send and settle; False when the sink does not take anything now."""
        try:
            await self._outlet.sink.send(self._compose(batch))
        except SinkUnavailable as error:
            await self._wait_after(error)
            return False
        except SinkRefused as error:
            return await self._send_one_by_one(batch, error)
        await self._note_success()
        await self._settle(batch)
        return True

    def _compose(self, batch: Sequence[Held]) -> Message:
        try:
            sections = [section_of(event.happening, now=self._clock.now()) for event in batch]
            return clean_message(sections, self._outlet.redact)
        except Exception as error:
            # A fault of ours in one event's words must not stop the words of all others.
            _log.exception("no words for these events", event_ids=[event.happening.event_id for event in batch])
            raise SinkRefused("no words for it") from error

    async def _note_success(self) -> None:
        self.num_messages += 1
        if self._num_failures:
            _log.info("the sink works again", sink=self._outlet.sink.name, num_failures=self._num_failures)
            self._num_failures = 0
            await self._outlet.report_health(True)  # noqa: FBT003 - what the hook is about

    async def _settle(self, batch: Sequence[Held]) -> None:
        await self._ledger.settle([event.sequence for event in batch])
        for message in self._backlog.remove(batch):
            await self._feed.ack(message)

    async def _wait_after(self, error: SinkUnavailable) -> None:
        self._num_failures += 1
        seconds = retry_wait_seconds(self._num_failures, error.retry_after_seconds)
        _log.warning(
            "message not taken; trying again",
            sink=self._outlet.sink.name,
            why=str(error),
            num_failures=self._num_failures,
            retry_seconds=seconds,
            num_waiting=len(self._backlog),
        )
        if self._num_failures == 1:
            await self._outlet.report_health(False)  # noqa: FBT003 - as above
        await self._clock.sleep(seconds)

    async def _send_one_by_one(self, batch: Sequence[Held], refusal: SinkRefused) -> bool:
        """Find the event that cannot be told, and set only that aside."""
        if len(batch) == 1:
            await self._set_aside(batch[0], refusal)
            return True
        for event in batch:
            if not await self._try([event]):
                return False
        return True

    async def _set_aside(self, event: Held, refusal: SinkRefused) -> None:
        self.num_refused += 1
        _log.error(
            "event cannot be told; set aside",
            sink=self._outlet.sink.name,
            why=str(refusal),
            event_id=event.happening.event_id,
            num_refused=self.num_refused,
        )
        await self._ledger.settle([event.sequence])
        for message in self._backlog.remove([event]):
            await self._feed.term(message, "CANNOT_BE_TOLD")
