"""`headway jobs`: list, read, watch, pause, resume, set-priority, cancel, explain, logs, pull."""

import json
from typing import Annotated

import typer

from headway.cli.checkpoints import pull_checkpoint
from headway.cli.exit_codes import ExitCode, exit_code_of_job
from headway.cli.follow import follow
from headway.cli.pausing import pause_jobs, resume_jobs
from headway.cli.priority import TAKES_NEGATIVE_NUMBERS, set_priority
from headway.cli.session import run_with_client
from headway.cli.submit import TimeoutOption
from headway.cli.view.consoles import out, print_table, say, visible
from headway.cli.view.jobs import job_view, show_job, state_style
from headway.cli.view.output import (
    Column,
    Output,
    OutputOption,
    View,
    as_dict,
    as_table,
    print_raw,
    show_item,
    show_items,
)
from headway.cli.view.words import clock_time, number_text
from headway.client import HeadwayClient
from headway.contract.standing import what_a_cancel_left
from headway.contract.states import is_terminal, state_name
from headway.runtime.clock import SystemClock
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, Job
from headway.v1.jobs_service_pb2 import HostVerdict, LogLine

app = typer.Typer(no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Job id or full name.")]

_VERDICTS: View[HostVerdict] = View(
    columns=(
        Column("host", lambda verdict: verdict.host.removeprefix("hosts/")),
        Column("suits", lambda verdict: "yes" if verdict.suitable else "no"),
        Column("reason", lambda verdict: verdict.reason or "-"),
        Column("", lambda verdict: verdict.message),
    ),
    name=lambda verdict: verdict.host,
)
_LEVEL_STYLES = {"warning": "yellow", "error": "red", "debug": "dim"}


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    filter_text: Annotated[
        str, typer.Option("--filter", help="AIP-160, such as 'state = RUNNING AND priority > 0'.")
    ] = "",
    order_by: Annotated[str, typer.Option("--order-by", help="Such as 'priority desc'; newest first otherwise.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Jobs to show at most.")] = 50,
    output: OutputOption = Output.TABLE,
) -> None:
    """List jobs, newest first."""

    async def work(client: HeadwayClient) -> None:
        found: list[Job] = []
        async for job in client.jobs.list(filter_text=filter_text, order_by=order_by, page_size=min(limit, 1000)):
            if len(found) == limit:
                say(f"only the first {limit} are shown; see more with --limit", "dim")
                break
            found.append(job)
        show_items(found, job_view(SystemClock().now()), output, empty="no jobs; queue one with `headway submit FILE`")

    run_with_client(ctx, work)


@app.command("get")
def get_job(ctx: typer.Context, job: JobArgument, output: OutputOption = Output.TABLE) -> None:
    """Read one job: state, numbers, history."""

    async def work(client: HeadwayClient) -> None:
        found = await client.jobs.get(job)
        show_job(found, output)

    run_with_client(ctx, work)


@app.command("watch")
def watch_job(
    ctx: typer.Context,
    job: JobArgument,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Watch a job until it ends; exit 1 unless it succeeds. Ctrl-C detaches and leaves it running.

    With -o jsonl every message of the watch is printed as it comes.
    """

    async def work(client: HeadwayClient) -> ExitCode:
        if output == Output.JSONL:
            return await _print_watch(client, job)
        followed = await follow(client, job, timeout_seconds=timeout_seconds)
        show_job(followed.job, output)
        return followed.exit_code

    run_with_client(ctx, work)


app.command("pause")(pause_jobs)
app.command("resume")(resume_jobs)
app.command("pull")(pull_checkpoint)
app.command("set-priority", context_settings=TAKES_NEGATIVE_NUMBERS)(set_priority)


@app.command("cancel")
def cancel_job(
    ctx: typer.Context,
    job: JobArgument,
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for the job's history.")] = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until it has stopped.")] = False,
    output: OutputOption = Output.NAME,
) -> None:
    """Ask a job to stop. Once this returns it never succeeds; doing it twice does no harm.

    What its host can still save is kept as a partial model: with --wait the answer says of which step.
    """

    async def work(client: HeadwayClient) -> None:
        found = await client.jobs.cancel(job, message=message)
        if wait and not is_terminal(found.state):
            found = (await follow(client, found.name)).job
        left = f": {what_a_cancel_left(found)}" if found.state == JOB_STATE_CANCELLED else ""
        say(f"{state_name(found.state)}{left}", state_style(state_name(found.state)))
        show_job(found, output)

    run_with_client(ctx, work)


@app.command("logs")
def job_logs(
    ctx: typer.Context,
    job: JobArgument,
    follow_lines: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    first_line: Annotated[int, typer.Option("--from", help="First line, from 1; -20 means the last 20.")] = 1,
    output: OutputOption = Output.TABLE,
) -> None:
    """Print a job's log."""

    async def work(client: HeadwayClient) -> None:
        async for line in client.jobs.logs(job, first_line=first_line, follow=follow_lines):
            _print_line(line, output)

    run_with_client(ctx, work)


@app.command("explain")
def explain_job(ctx: typer.Context, job: JobArgument, output: OutputOption = Output.TABLE) -> None:
    """Say where a job stands and why it waits, with the verdict on every host."""

    async def work(client: HeadwayClient) -> None:
        found = await client.jobs.explain(job)
        if output != Output.TABLE:
            show_item(found, job, (), output)
            return
        out().print(visible(found.summary), markup=False)
        if found.num_ahead or found.effective_priority:
            say(f"effective priority {number_text(found.effective_priority)}, {found.num_ahead} ahead", "dim")
        if found.verdicts:
            print_table(as_table(list(found.verdicts), _VERDICTS))

    run_with_client(ctx, work)


async def _print_watch(client: HeadwayClient, job: str) -> ExitCode:
    last = await client.jobs.get(job)
    async for message in client.jobs.watch(job):
        print_raw(json.dumps(as_dict(message)))
        if message.WhichOneof("update") == "change":
            last = message.change.job
    return exit_code_of_job(last.state)


def _print_line(line: LogLine, output: Output) -> None:
    if output != Output.TABLE:
        print_raw(json.dumps(as_dict(line)))
        return
    fields = " ".join(f"{name}={value}" for name, value in sorted(line.fields.items()))
    text = f"{clock_time(line.log_time)} {line.level:<7} {line.message} {fields}".rstrip()
    out().print(visible(text), style=_LEVEL_STYLES.get(line.level), markup=False)
