"""Delivers events: sends messages, writes down what was told, then acknowledges. In that order.

An outage of the sink delays and never drops: the same events are planned anew after each failed try, so that the ends
of jobs go first when it is over. Only a message that may have arrived is sent again as it was. Only what the sink
refuses, or what there are no words for, is set aside.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from headway.runtime.clock import Clock
from headway.runtime.feeds import Feed
from headway.runtime.logs import get_logger
from notifier.backlog import Backlog
from notifier.batching import Group, Held, Moment, Send, Wait, fold, next_step
from notifier.ledger import Ledger
from notifier.outlet import Outlet, Speaker
from notifier.rates import Allowance
from notifier.retry import SHUT_WAIT_SECONDS, retry_wait_seconds
from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable

_log = get_logger(__name__)

_FINISH_LIMIT_SECONDS = 3.0
_UNFINISHED_LIMIT_SECONDS = 10.0


class Delivery:
    """One loop over the backlog of one sink."""

    def __init__(self, feed: Feed, ledger: Ledger, backlog: Backlog, outlet: Outlet, clock: Clock) -> None:
        self._feed = feed
        self._ledger = ledger
        self._backlog = backlog
        self._outlet = outlet
        self._clock = clock
        self._log = _log.bind(sink=outlet.sink.name)
        self._rules = outlet.rules
        self._allowance = Allowance(outlet.rate)
        self._speaker = Speaker(outlet, clock)
        self._again: Send | None = None
        self._sent_seconds: float | None = None
        self._rested = asyncio.Event()
        self._hurry = asyncio.Event()
        self.num_failures = 0
        self.is_shut = False
        self.num_messages = 0
        self.num_refused = 0

    async def run(self) -> None:
        """Deliver for ever."""
        self._again = await self._unfinished()
        while True:
            self._backlog.changed.clear()
            step = self._next_step()
            if isinstance(step, Send):
                await self._try(step)
                continue
            self._rested.set()
            await self._wait(step)

    async def finish(self) -> None:
        """Tell what may be told now without waiting for more; for the end of the service.

        What is left is told after the next start.
        """
        if self.num_failures:
            return
        self._rules = replace(self._rules, window_seconds=0.0, gather_seconds=0.0)
        self._rested.clear()
        self._hurry.set()
        self._backlog.changed.set()
        await self._clock.wait_for_event(self._rested, _FINISH_LIMIT_SECONDS)

    def _next_step(self) -> Send | Wait:
        now_seconds = self._clock.monotonic()
        moment = Moment(now=self._clock.now(), now_seconds=now_seconds, sent_seconds=self._sent_seconds)
        step = self._again or next_step(self._backlog.held(), self._rules, moment)
        if isinstance(step, Send) and (seconds := self._allowance.wait_seconds(now_seconds)):
            # What comes meanwhile goes along.
            return Wait(seconds, is_firm=True)
        return step

    async def _wait(self, step: Wait) -> None:
        if step.seconds is None:
            await self._backlog.changed.wait()
        elif step.is_firm and not self._hurry.is_set():
            # A flood would else be sorted anew for each event that joins it.
            await self._clock.wait_for_event(self._hurry, step.seconds)
        else:
            await self._clock.wait_for_event(self._backlog.changed, step.seconds)

    async def _unfinished(self) -> Send | None:
        """What the process before was sending when it ended, once it is here again."""
        wanted = {sequence for sequence in self._ledger.sending if sequence not in self._ledger.settled}
        deadline = self._clock.monotonic() + _UNFINISHED_LIMIT_SECONDS
        while wanted and not all(sequence in self._backlog for sequence in wanted):
            self._backlog.changed.clear()
            seconds = deadline - self._clock.monotonic()
            if seconds <= 0 or not await self._clock.wait_for_event(self._backlog.changed, seconds):
                self._log.warning("what was being sent is gone from the stream", num_events=len(wanted))
                return None
        held = [event for event in self._backlog.held() if event.sequence in wanted]
        return Send(tuple(fold(held))) if held else None

    async def _try(self, send: Send) -> bool:
        """Send and settle; False when the sink does not take anything now."""
        if self._outlet.sees_repeats:
            await self._ledger.intend(event.sequence for event in send.events)
        self._allowance.take(self._clock.monotonic())
        try:
            await self._speaker.say(send)
        except SinkUnavailable as error:
            if error.may_have_arrived:
                self._again = send
            await self._wait_after(error)
            return False
        except SinkShut as error:
            await self._wait_while_shut(error)
            return False
        except SinkRefused as error:
            self._again = None
            return await self._send_parts(send, error)
        self._again = None
        await self._note_success()
        await self._settle(send.events)
        return True

    async def _note_success(self) -> None:
        self.num_messages += 1
        self._sent_seconds = self._clock.monotonic()
        if self.num_failures:
            self._log.info("the sink works again", num_failures=self.num_failures)
            self.num_failures = 0
            self.is_shut = False
            await self._outlet.report_health(True)  # noqa: FBT003 - what the hook is about

    async def _settle(self, events: Sequence[Held]) -> None:
        await self._ledger.settle(event.sequence for event in events)
        for message in self._backlog.remove(events):
            await self._feed.ack(message)

    async def _wait_after(self, error: SinkUnavailable) -> None:
        seconds = retry_wait_seconds(self.num_failures + 1, error.retry_after_seconds)
        self._log.warning(
            "message not taken; trying again",
            why=str(error),
            num_failures=self.num_failures + 1,
            retry_seconds=seconds,
            num_waiting=len(self._backlog),
        )
        await self._leave_alone(seconds)

    async def _wait_while_shut(self, error: SinkShut) -> None:
        if not self.is_shut:
            self._log.error(
                "the sink takes nothing until somebody acts; nothing is lost",
                why=str(error),
                remedy=error.remedy,
                retry_seconds=SHUT_WAIT_SECONDS,
                num_waiting=len(self._backlog),
            )
        self.is_shut = True
        await self._leave_alone(SHUT_WAIT_SECONDS)

    async def _leave_alone(self, seconds: float) -> None:
        self.num_failures += 1
        self._rested.set()
        if self.num_failures == 1:
            await self._outlet.report_health(False)  # noqa: FBT003 - as above
        await self._clock.sleep(seconds)

    async def _send_parts(self, send: Send, refusal: SinkRefused) -> bool:
        """Find the event that cannot be told, and set only that aside."""
        groups = send.groups if len(send.groups) > 1 else [Group(event) for event in send.events]
        if len(groups) == 1:
            await self._set_aside(groups[0].head, refusal)
            return True
        for group in groups:
            if not await self._try(Send((group,))):
                return False
        return True

    async def _set_aside(self, event: Held, refusal: SinkRefused) -> None:
        self.num_refused += 1
        self._log.error(
            "event cannot be told; set aside",
            why=str(refusal),
            event_id=event.happening.event_id,
            num_refused=self.num_refused,
        )
        await self._ledger.settle([event.sequence])
        for message in self._backlog.remove([event]):
            await self._feed.term(message, "CANNOT_BE_TOLD")
