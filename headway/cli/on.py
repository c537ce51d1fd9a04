"""`headway on`: a command for each event."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from headway.cli.listen.address import NatsAddress, NatsUrlOption, address_of
from headway.cli.listen.command import Command
from headway.cli.listen.connection import listening
from headway.cli.listen.event_names import completions, resolve, short_name
from headway.cli.listen.following import feed_of
from headway.cli.listen.hook import Hook, Rule
from headway.cli.listen.interruption import Interruption
from headway.cli.listen.options import JobOption, SinceOption, durable_name, refusing, since_of, wanted_of_line
from headway.cli.listen.retrying import Retrying
from headway.cli.listen.wanted import Wanted
from headway.cli.session import finish, home_of, options_of
from headway.cli.view.consoles import say
from headway.runtime.clock import SystemClock
from headway.runtime.feeds import FROM_NEW, Durable, Start

app = typer.Typer()

# When an event whose command was cut off by a crash comes again.
_ACK_WAIT_SECONDS = 10.0

EventsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="EVENT...",
        autocompletion=completions,
        help="completed, failed, model.registered, host.lost, train.*, any ...; several may be named.",
    ),
]
ExecOption = Annotated[str, typer.Option("--exec", metavar="CMD", help="What to run, as sh -c CMD.")]
DurableOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Remember under this name what is done, and go on there at the next start. An event counts as done when "
        "CMD exits with 0 or is given up; --since is for the first start only.",
    ),
]
RetriesOption = Annotated[int, typer.Option(min=0, max=1000, help="Tries behind the first when CMD fails.")]
RetryWaitOption = Annotated[
    float,
    typer.Option(min=0.01, max=60, metavar="SECONDS", help="Before the second try; doubles each time, up to 60."),
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0.01, metavar="SECONDS", help="End CMD after this; it has failed.")
]
OnceOption = Annotated[bool, typer.Option("--once", help="Leave after the first event, with CMD's exit code.")]


@app.command("on")
def on(
    ctx: typer.Context,
    events: EventsArgument,
    command: ExecOption,
    job: JobOption = "",
    since: SinceOption = "",
    durable: DurableOption = "",
    retries: RetriesOption = 0,
    retry_wait: RetryWaitOption = 1.0,
    timeout_seconds: TimeoutOption = None,
    once: OnceOption = False,
    nats_url: NatsUrlOption = "",
) -> None:
    r"""Run a command for each event, one at a time and in order, until Ctrl-C.

    CMD finds the event on its standard input, as a CloudEvent in JSON, and its
    parts in the environment: HEADWAY_EVENT_TYPE, _NAME (train.completed), _ID,
    _TIME, _SUBJECT, _PROJECT, _JOB, _KIND, _HOST, _MODEL and _REASON; empty where
    an event has no such part. Put CMD in single quotes, so that CMD itself reads
    them, and each of them in double quotes inside.

    A CMD that fails is tried again as --retries says, and then skipped; what
    comes behind it waits, and is not lost. With --durable an event can come twice
    after a crash, so CMD should be safe to repeat: the id tells.

    The first Ctrl-C lets a running CMD end, the second kills it.

        headway on completed --exec 'notify-send "done: $HEADWAY_EVENT_JOB"'

        headway on failed --exec ./page-me.sh --durable pager --retries 5

        headway on model.registered --job JOB --once --since 1d \
            --exec 'headway models pull "$HEADWAY_EVENT_MODEL" --to model'
    """

    async def work() -> None:
        if not command.strip():
            raise typer.BadParameter("it is empty", param_hint="--exec")
        begin = since_of(since)
        rule = Rule(
            _wanted(ctx, events, job),
            Command(command, timeout_seconds),
            Retrying(retries, retry_wait),
            is_once=once,
            durable=_place(durable, begin),
        )
        await _follow(address_of(ctx, nats_url), rule, begin or FROM_NEW)

    finish(work(), home=home_of(options_of(ctx)))


def _wanted(ctx: typer.Context, events: list[str], job: str) -> Wanted:
    with refusing("EVENT"):
        types = resolve(events)
    return wanted_of_line(ctx, types, job)


def _place(name: str, begin: datetime | None) -> Durable | None:
    """What remembers how far we are; None where nothing shall."""
    if not name:
        return None
    with refusing("--durable"):
        return Durable(
            name=durable_name(name),
            ack_wait_seconds=_ACK_WAIT_SECONDS,
            max_ack_pending=1,
            from_new=begin is None,
            start_time=begin,
        )


async def _follow(address: NatsAddress, rule: Rule, start: Start) -> None:
    interruption = Interruption()
    try:
        async with (
            interruption.heard(),
            listening(address) as bus,
            feed_of(bus, rule.wanted, start, rule.durable) as feed,
        ):
            names = ", ".join(sorted(short_name(event_type) for event_type in rule.wanted.types))
            say(f"waiting for {names} at {address.shown}; Ctrl-C ends", "dim")
            code = await Hook(feed, rule, interruption, SystemClock()).run()
    except asyncio.CancelledError:
        raise typer.Exit(interruption.exit_code) from None
    raise typer.Exit(code)
