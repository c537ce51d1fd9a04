"""Puts events into words and hands them to the sink; whatever is wrong with that is one of three things."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from notifier.batching import BatchRules, Send
from notifier.messages import Message, clean_message
from notifier.rates import Rate
from notifier.rules import section_of
from notifier.sinks import Sink, SinkRefused, SinkShut, SinkUnavailable

_log = get_logger(__name__)

_MAX_FAULTS = 5
"""In a row; then a fault of the sink's own code counts as a refusal, or one event could hold up all others for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where and how messages go out.

    Attributes:
        sink: takes them.
        rules: what makes a message.
        redact: takes out secrets and paths.
        report_health: called with False when the sink begins to fail and True when it works again.
        rate: how many messages; None for any number.
        sees_repeats: whether the other side can tell a repeat by its nonce. Then it is written down what goes out
            before it does, so that a crash in between repeats exactly that.
    """

    sink: Sink
    rules: BatchRules
    redact: Callable[[str], str]
    report_health: Callable[[bool], Awaitable[None]]
    rate: Rate | None = None
    sees_repeats: bool = False


class Speaker:
    """Says one message after the other."""

    def __init__(self, outlet: Outlet, clock: Clock) -> None:
        self._outlet = outlet
        self._clock = clock
        self._log = _log.bind(sink=outlet.sink.name)
        self._num_faults = 0

    async def say(self, send: Send) -> None:
        """Raises what `Sink.send` may raise, and nothing else."""
        message = self._compose(send)
        try:
            await self._outlet.sink.send(message)
        except (SinkUnavailable, SinkShut, SinkRefused):
            self._num_faults = 0
            raise
        except Exception as error:
            self._num_faults += 1
            self._log.exception("the sink has a fault", nonce=message.nonce, num_faults=self._num_faults)
            if self._num_faults >= _MAX_FAULTS:
                raise SinkRefused("the sink has a fault with it") from error
            raise SinkUnavailable("the sink has a fault", may_have_arrived=True) from error
        self._num_faults = 0

    def _compose(self, send: Send) -> Message:
        now = self._clock.now()
        quiet = self._outlet.rules.quiet
        is_silent = quiet is not None and quiet.seconds_left(now) > 0
        try:
            sections = [
                section_of(group.head.happening, [event.happening for event in group.earlier], now=now)
                for group in send.groups
            ]
            return clean_message(sections, self._outlet.redact, is_silent=is_silent)
        except Exception as error:
            # A fault of ours in one event's words must not stop the words of all others.
            event_ids = [event.happening.event_id for event in send.events]
            self._log.exception("no words for these events", event_ids=event_ids)
            raise SinkRefused("no words for it") from error
