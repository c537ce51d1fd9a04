"""`headway events`: what happens to jobs, models and hosts, as it happens or since a time."""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.listen.address import NatsAddress, NatsUrlOption, address_of
from headway.cli.listen.connection import listening, subscribed
from headway.cli.listen.event_names import TERMINAL_TYPES, TRAIN, all_types, family_of
from headway.cli.listen.following import events_in, feed_of
from headway.cli.listen.heard import read_event
from headway.cli.listen.options import JobOption, SinceOption, durable_name, refusing, since_of, wanted_of_line
from headway.cli.listen.printing import print_event
from headway.cli.listen.wanted import Wanted
from headway.cli.session import finish, home_of, options_of
from headway.cli.view.consoles import say
from headway.cli.view.output import Output, OutputOption
from headway.contract.subjects import EVENTS
from headway.runtime.feeds import FROM_NEW, Start

app = typer.Typer(no_args_is_help=True)

_COMPLETED = "trainer.train.completed.v1"
_LIVE = ("trainer.train.progress.v1", "trainer.log.v1")


@dataclass(frozen=True, slots=True)
class Tail:
    """What to tail.

    Attributes:
        wanted: which events.
        since: print what was stored then or later; None for what is new.
        output: in which form.
        is_all: progress and log lines too.
        is_until_end: leave when the job ends.
    """

    wanted: Wanted
    since: datetime | None
    output: Output
    is_all: bool
    is_until_end: bool

    @property
    def start(self) -> Start:
        """Where to begin to read: to leave at the end, one has to know whether it is over already."""
        return 1 if self.is_until_end else self.since or FROM_NEW


@app.callback()
def events() -> None:
    """Follow the events on NATS."""


@app.command("tail")
def tail_events(
    ctx: typer.Context,
    job: JobOption = "",
    since: SinceOption = "",
    exit_at_end: Annotated[
        bool,
        typer.Option(
            "--exit-at-end",
            help="With --job: begin at its first event unless --since is given, leave when it has ended; exit 1 unless "
            "it completed.",
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Progress and log lines too, live: what is missed of these is lost.")
    ] = False,
    nats_url: NatsUrlOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Print events as they happen, until Ctrl-C.

    None is missed and none comes twice, also when nats-server is restarted. A
    tail goes on behind the end of its --job unless --exit-at-end is given, and
    --project P keeps to one project. -o json (or jsonl) prints each CloudEvent on
    one line, as it is on the wire, -o name its subject.

        headway events tail --since 10m

        headway events tail --job JOB --exit-at-end -o json | jq .type
    """

    async def work() -> ExitCode:
        if exit_at_end and not job:
            raise typer.BadParameter("it needs --job: only a job has an end", param_hint="--exit-at-end")
        types = [one for one in all_types() if not job or family_of(one) == TRAIN]
        wanted = wanted_of_line(ctx, types, job)
        tail = Tail(wanted, since_of(since), output, is_all=everything, is_until_end=exit_at_end)
        return await _tail(address_of(ctx, nats_url), tail)

    finish(work(), home=home_of(options_of(ctx)))


async def _tail(address: NatsAddress, tail: Tail) -> ExitCode:
    if not tail.is_all:
        return await _tail_events(address, tail)
    with _first_error():
        async with asyncio.TaskGroup() as group:
            live = group.create_task(_tail_live(address, tail), name="live")
            kept = group.create_task(_cancelling(live, _tail_events(address, tail)), name="events")
    return kept.result()


async def _cancelling(other: "asyncio.Task[None]", work: Awaitable[ExitCode]) -> ExitCode:
    code = await work
    other.cancel()
    return code


async def _tail_events(address: NatsAddress, tail: Tail) -> ExitCode:
    async with listening(address) as bus, feed_of(bus, tail.wanted, tail.start) as feed:
        # Not a moment earlier: whoever reads this may rely on it.
        say(f"listening at {address.shown}; Ctrl-C ends", "dim")
        async with aclosing(events_in(feed, tail.wanted)) as found:
            async for event in found:
                if tail.since is None or event.stored is None or event.stored >= tail.since:
                    print_event(event, tail.output)
                if tail.is_until_end and event.event_type in TERMINAL_TYPES:
                    return ExitCode.OK if event.event_type == _COMPLETED else ExitCode.JOB_FAILED
    raise AssertionError("a feed has no end")


async def _tail_live(address: NatsAddress, tail: Tail) -> None:
    """Progress and log lines, which no stream keeps for long."""

    def say_back() -> None:
        say("progress and log lines of the meantime are lost", "yellow")

    subjects = [f"{start}.{tail.wanted.project or '*'}.{tail.wanted.job or '*'}" for start in _LIVE]
    async with subscribed(address, *subjects, on_back=say_back) as queue:
        while True:
            message = await queue.get()
            print_event(read_event(message.subject, message.data), tail.output)


@contextmanager
def _first_error() -> Generator[None, None, None]:
    """Let the one error out of a group that the command ends with."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


@app.command("forget")
def forget_place(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As it was given to `headway on --durable`.")],
    nats_url: NatsUrlOption = "",
) -> None:
    """Forget the place that `headway on --durable NAME` remembers; the next one begins anew."""

    async def work() -> None:
        with refusing("NAME"):
            durable = durable_name(name)
        async with listening(address_of(ctx, nats_url)) as bus:
            await bus.delete_consumer(EVENTS, durable)

    finish(work(), home=home_of(options_of(ctx)))
