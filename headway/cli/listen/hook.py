"""Runs a person's command for each event: one at a time, in order, tried again when it fails, never stuck."""

import asyncio
from dataclasses import dataclass

from headway.cli.exit_codes import ExitCode
from headway.cli.listen.command import Command, Outcome
from headway.cli.listen.event_names import short_name
from headway.cli.listen.following import SeenIds
from headway.cli.listen.heard import HeardEvent, read_event
from headway.cli.listen.interruption import Interruption
from headway.cli.listen.retrying import Retrying
from headway.cli.listen.wanted import Wanted
from headway.cli.view.consoles import say
from headway.cli.view.words import span
from headway.runtime.clock import Clock
from headway.runtime.feeds import Durable, Feed, Message

_CANNOT_START = 126


@dataclass(frozen=True, slots=True)
class Rule:
    """What to run, and how.

    Attributes:
        wanted: for which events.
        command: what.
        retrying: when it fails.
        is_once: leave after the first event.
        durable: remembers the place; None forgets it.
    """

    wanted: Wanted
    command: Command
    retrying: Retrying
    is_once: bool = False
    durable: Durable | None = None


class Hook:
    """Follows a feed for one rule."""

    def __init__(self, feed: Feed, rule: Rule, interruption: Interruption, clock: Clock) -> None:
        self._feed = feed
        self._rule = rule
        self._interruption = interruption
        self._clock = clock
        self._seen = SeenIds()

    async def run(self) -> int:
        """Follow for ever, or until the first event with `is_once`; the exit code of its command.

        Raises:
            CancelledError: a signal came. What was not done is left unacknowledged.
        """
        async for message in self._feed:
            event = read_event(message.subject, message.data, message.time)
            if not self._rule.wanted.takes(event) or event in self._seen:
                await self._settle(message)
                continue
            if not event.event_id:
                say(f"{event.subject}: skipped, it holds no CloudEvent", "yellow")
                await self._settle(message)
                continue
            outcome = await self._handle(message, event)
            if self._rule.is_once:
                return ExitCode.TIMEOUT if outcome.is_late else outcome.exit_code
            self._interruption.leave_if_asked()
        raise AssertionError("a feed has no end")

    @property
    def _beat_seconds(self) -> float | None:
        """How often to say that a command still runs, so that nobody else is given its event."""
        return self._rule.durable.ack_wait_seconds / 3 if self._rule.durable is not None else None

    async def _handle(self, message: Message, event: HeardEvent) -> Outcome:
        trying: asyncio.Task[Outcome] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                trying = group.create_task(self._try_until_settled(event), name="command")
                while not trying.done():
                    await asyncio.wait({trying}, timeout=self._beat_seconds)
                    if self._rule.durable is not None and not trying.done():
                        await self._feed.in_progress(message)
                outcome = trying.result()
        except asyncio.CancelledError:
            # A signal can come in the very moment in which the command has ended: then the event is done.
            await (self._settle(message) if _has_ended(trying) else self._leave(message, event))
            raise
        self._seen.add(event)
        await self._settle(message)
        return outcome

    async def _try_until_settled(self, event: HeardEvent) -> Outcome:
        num_tried = 0
        while True:
            num_tried += 1
            outcome = await self._try(event)
            if outcome.is_done:
                return outcome
            wait_seconds = self._rule.retrying.wait_seconds(num_tried)
            if wait_seconds is None:
                say(f"  given up after {num_tried} {'try' if num_tried == 1 else 'tries'}: {event.event_id}", "red")
                return outcome
            self._interruption.leave_if_asked()
            say(f"  again in {span(wait_seconds)}", "yellow")
            await self._clock.sleep(wait_seconds)

    async def _try(self, event: HeardEvent) -> Outcome:
        command = self._rule.command
        say(f"{event.time[11:19]} {short_name(event.event_type)} {event.about}: {command.text}")
        begin = self._clock.monotonic()
        try:
            with self._interruption.waiting_for(command.kill):
                outcome = await command.run(event)
        except OSError as error:
            say(f"  cannot be started: {error.strerror}", "red")
            return Outcome(_CANNOT_START)
        took = span(self._clock.monotonic() - begin)
        what = f"ended by its time limit after {took}" if outcome.is_late else f"exit {outcome.exit_code} after {took}"
        say(f"  {what}", "" if outcome.is_done else "yellow")
        return outcome

    async def _settle(self, message: Message) -> None:
        if self._rule.durable is not None:
            await self._feed.ack(message)

    async def _leave(self, message: Message, event: HeardEvent) -> None:
        if self._rule.durable is not None:
            await self._feed.nak(message, 0)
            say(f"left for the next run with --durable: {event.event_id}", "yellow")


def _has_ended(trying: asyncio.Task[Outcome] | None) -> bool:
    """Whether the event needs no further try."""
    return trying is not None and trying.done() and not trying.cancelled() and trying.exception() is None
