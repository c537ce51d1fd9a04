"""`headway replay`: a job's events once more, at the pace that they had or faster."""

from datetime import timedelta
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import GlobalOptions, headway
from headway.cli.jobs import JobArgument
from headway.cli.listen.address import NatsUrlOption, address_of
from headway.cli.listen.connection import listening
from headway.cli.listen.event_names import TRAIN, all_types, family_of
from headway.cli.listen.following import kept_events
from headway.cli.listen.heard import HeardEvent
from headway.cli.listen.options import refusing, wanted_of_line
from headway.cli.listen.pacing import Pacing, occurred
from headway.cli.listen.printing import print_event
from headway.cli.listen.times import parse_span, parse_speed
from headway.cli.session import connect, finish, home_of, options_of
from headway.cli.view.consoles import say
from headway.cli.view.output import Output, OutputOption
from headway.cli.view.words import span
from headway.contract.errors import HeadwayError, NotFound, ServiceUnavailable
from headway.contract.events import transition_number
from headway.contract.states import is_terminal
from headway.contract.subjects import EVENTS
from headway.contract.times import moment
from headway.runtime.clock import Clock, SystemClock

app = typer.Typer()

_YOUNG = timedelta(minutes=1)


@app.command("replay")
def replay(
    ctx: typer.Context,
    job: JobArgument,
    speed: Annotated[
        str, typer.Option(metavar="SPEED", help="Times as fast as it was: 50x, 0.5x; max waits for nothing.")
    ] = "1x",
    max_gap: Annotated[
        str, typer.Option(metavar="SPAN", help="Longest wait between two events, however long it was.")
    ] = "10s",
    nats_url: NatsUrlOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the events of a job again, finished or running, up to the newest.

    -o json (or jsonl) prints each CloudEvent on one line, as it was on the wire:
    a pipe tries out a program that reads events. Nothing is published again.

        headway replay JOB --speed 50x

        headway replay JOB --speed max -o json | jq .data
    """

    async def work() -> ExitCode:
        with refusing("--speed"):
            pace = parse_speed(speed)
        with refusing("--max-gap"):
            pacing = Pacing(pace, parse_span(max_gap).total_seconds())
        wanted = wanted_of_line(ctx, (one for one in all_types() if family_of(one) == TRAIN), job)
        async with listening(address_of(ctx, nats_url)) as bus:
            events = await kept_events(bus, wanted)
        if not events:
            raise await _why_nothing(options_of(ctx), job)
        await _replay(events, pacing, output, SystemClock())
        return ExitCode.OK

    finish(work(), home=home_of(options_of(ctx)))


async def _replay(events: list[HeardEvent], pacing: Pacing, output: Output, clock: Clock) -> None:
    first = transition_number(events[0].event_id)
    if first > 1:
        say(f"its first events are no longer kept; this begins with number {first}", "yellow")
    now = clock.now()
    times = [occurred(event.time, event.stored or now) for event in events]
    due = clock.monotonic()
    for event, earlier, later in zip(events, [times[0], *times], times, strict=False):
        due += pacing.gap_seconds(earlier, later)
        await clock.sleep(due - clock.monotonic())
        print_event(event, output)
    took = span((times[-1] - times[0]).total_seconds())
    say(f"{len(events)} event{'s' if len(events) > 1 else ''}; it took {took} when it happened", "dim")


async def _why_nothing(options: GlobalOptions, job: str) -> HeadwayError:
    """Ask the gateway what it knows of a job that left no events.

    Raises:
        RemoteError: there is no such job.
    """
    try:
        async with connect(options) as client:
            found = await client.jobs.get(job)
    except ServiceUnavailable:
        return NotFound(
            f"no events of {job} are kept, and the gateway, which knows whether there is such a job, does not answer"
        )
    if SystemClock().now() - moment(found.create_time) < _YOUNG and not is_terminal(found.state):
        return NotFound(f"{found.name} is so new that none of its events is out; try again in a moment")
    return NotFound(
        f"the events of {found.name} are gone: they are kept for {EVENTS.max_age.days} days. "
        f"The job itself is still known: {headway()} jobs get {job}"
    )
