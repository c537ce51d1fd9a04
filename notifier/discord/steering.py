"""Pausing, resuming and cancelling from Discord; a cancellation is asked for twice."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from headway.contract.ids import JobName
from headway.v1.jobs_pb2 import Job
from notifier.discord.answers import Desk, learn
from notifier.discord.card import Card
from notifier.discord.custom_ids import CANCEL, CONFIRM, PAUSE, RESUME, Press, confirm_button
from notifier.discord.harmless import harmless, in_code
from notifier.discord.run_names import UnknownRun

CONFIRM_SECONDS = 60.0
_MAX_QUESTIONS = 100
NOT_ENABLED = "Steering runs from here is switched off; notifier.discord.is_control_enabled turns it on."
TOO_LATE = "That question is too old or was answered already; nothing was done. Ask to cancel again."

_SAID: Mapping[str, str] = MappingProxyType(
    {
        "PAUSING": "is being paused: it stops between two steps.",
        "PAUSED": "is paused. It goes on when you resume it.",
        "QUEUED": "waits for a host.",
        "RUNNING": "is running.",
        "CANCELLING": "is being cancelled.",
        "CANCELLED": "is cancelled.",
    }
)


class Questions:
    """The cancellations that wait for a yes. Each ticket is good once, for a minute."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, tuple[JobName, float]] = OrderedDict()

    def ask(self, name: JobName, *, now_seconds: float) -> str:
        """A ticket for this job; `now_seconds` is monotonic."""
        ticket = secrets.token_hex(8)
        self._asked[ticket] = (name, now_seconds + CONFIRM_SECONDS)
        while len(self._asked) > _MAX_QUESTIONS:
            self._asked.popitem(last=False)
        return ticket

    def take(self, ticket: str, *, now_seconds: float) -> JobName | None:
        """The job of a ticket that is still good; it is not good a second time."""
        found = self._asked.pop(ticket, None)
        return found[0] if found is not None and now_seconds <= found[1] else None


class Steering:
    """Carries out what the owner asks of a run, if that is switched on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._questions = Questions()
        self._calls: Mapping[str, Callable[[JobName], Awaitable[Job]]] = MappingProxyType(
            {PAUSE: desk.gateway.pause, RESUME: desk.gateway.resume}
        )

    async def steer(self, verb: str, typed: str) -> Card:
        """PAUSE, RESUME or CANCEL by command; raises UnknownRun."""
        return await self._do(verb, self._desk.names.resolve(typed))

    async def press(self, press: Press) -> Card:
        """The same by button, and the yes to a cancellation."""
        if press.verb != CONFIRM:
            if press.job is None:
                raise UnknownRun("That button names no run.")
            return await self._do(press.verb, press.job)
        if not self._desk.is_control_enabled:
            return Card(content=NOT_ENABLED)
        name = self._questions.take(press.ticket, now_seconds=self._desk.clock.monotonic())
        return self._said(await self._desk.gateway.cancel(name)) if name is not None else Card(content=TOO_LATE)

    async def _do(self, verb: str, name: JobName) -> Card:
        if not self._desk.is_control_enabled:
            return Card(content=NOT_ENABLED)
        if verb == CANCEL:
            return await self._ask(name)
        return self._said(await self._calls[verb](name))

    async def _ask(self, name: JobName) -> Card:
        view = learn(self._desk, await self._desk.gateway.get(name))
        if view.is_over:
            return Card(content=f"That run is over: {view.state}.")
        ticket = self._questions.ask(name, now_seconds=self._desk.clock.monotonic())
        title = harmless(view.title, self._desk.redact, limit=200)
        run = in_code(view.name.job_id, self._desk.redact, limit=100)
        return Card(
            content=f"Cancel {title} {run} for good? It cannot be resumed then. The button is good for a minute.",
            buttons=(confirm_button(ticket),),
        )

    def _said(self, job: Job) -> Card:
        view = learn(self._desk, job)
        self._desk.hear(view.name)
        state = _SAID.get(view.state, f"is {view.state}.")
        return Card(content=f"{in_code(view.name.job_id, self._desk.redact, limit=100)} {state}")
