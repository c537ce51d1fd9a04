"""`headway jobs pause` and `headway jobs resume`: several jobs at a time, each with its own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode, exit_code_of_error, exit_code_of_job
from headway.cli.global_options import headway
from headway.cli.session import run_with_client
from headway.cli.submit import TimeoutOption
from headway.cli.view.consoles import say
from headway.cli.view.errors import show_error
from headway.cli.view.jobs import job_id, job_view, state_style
from headway.cli.view.output import Output, OutputOption, show_items
from headway.client import HeadwayClient, RemoteError
from headway.contract.errors import HeadwayError
from headway.contract.pausing import what_is_kept
from headway.contract.states import is_terminal, state_name
from headway.runtime.clock import SystemClock
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, JOB_STATE_PAUSING, Job

JobsArgument = Annotated[list[str], typer.Argument(metavar="JOB...", help="Job ids or full names.")]
MessageOption = Annotated[str, typer.Option("--message", "-m", help="Why, for the history of the jobs.")]

Steer = Callable[[str], Awaitable[tuple[Job, ExitCode]]]
"""What is done to one job; raises RemoteError."""


def pause_jobs(
    ctx: typer.Context,
    jobs: JobsArgument,
    message: MessageOption = "",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until their hosts have stopped them.")] = False,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.NAME,
) -> None:
    """Take jobs off their hosts until they are resumed; doing it twice does no harm.

    A job that waits for a host is paused at once, one that runs is saved and stopped between two steps. When it is
    resumed it goes on from there, as if it had never been interrupted, and from the beginning where its kind keeps no
    checkpoints: the answer says which. One whose last step is done goes on to its end instead. With --wait, exit 1
    when a job failed meanwhile.
    """

    async def work(client: HeadwayClient) -> ExitCode:
        async def pause(job: str) -> tuple[Job, ExitCode]:
            found = await client.jobs.pause(job, message=message)
            if not wait or found.state != JOB_STATE_PAUSING:
                return found, ExitCode.OK
            say(_line(found), state_style(state_name(found.state)))
            return await _stopped(client, found, timeout_seconds)

        return await _steer_each(jobs, pause, output)

    run_with_client(ctx, work)


def resume_jobs(
    ctx: typer.Context, jobs: JobsArgument, message: MessageOption = "", output: OutputOption = Output.NAME
) -> None:
    """Let paused jobs go on; doing it twice does no harm.

    They are queued again, and keep the place that their priority and age give them.
    """

    async def work(client: HeadwayClient) -> ExitCode:
        async def resume(job: str) -> tuple[Job, ExitCode]:
            return await client.jobs.resume(job, message=message), ExitCode.OK

        return await _steer_each(jobs, resume, output)

    run_with_client(ctx, work)


async def _steer_each(jobs: Sequence[str], steer: Steer, output: Output) -> ExitCode:
    """Do it to every job, also after one was refused; the exit code is of the first that went wrong."""
    done: list[Job] = []
    codes: list[ExitCode] = []
    for job in dict.fromkeys(jobs):
        try:
            found, code = await steer(job)
        except (HeadwayError, RemoteError) as error:
            if len(jobs) == 1:
                raise
            say(f"{job}:", "bold red")
            show_error(error)
            codes.append(exit_code_of_error(error.code))
        else:
            say(_line(found), state_style(state_name(found.state)))
            done.append(found)
            codes.append(code)
    if done or output != Output.TABLE:
        show_items(done, job_view(SystemClock().now()), output)
    return next((code for code in codes if code), ExitCode.OK)


async def _stopped(client: HeadwayClient, job: Job, timeout_seconds: float | None) -> tuple[Job, ExitCode]:
    try:
        async with asyncio.timeout(timeout_seconds):
            found = await client.jobs.wait(job.name, until=lambda told: told.state != JOB_STATE_PAUSING)
    except TimeoutError:
        say(f"time is up; its host will still stop it. See `{headway()} jobs get {job_id(job.name)}`.", "yellow")
        return job, ExitCode.TIMEOUT
    return found, exit_code_of_job(found.state)


def _line(job: Job) -> str:
    """One line on what became of the wish, with what is kept and how to go on."""
    name = job_id(job.name)
    line = f"{name}  {state_name(job.state)}"
    if job.state == JOB_STATE_PAUSED:
        return f"{line}; {what_is_kept(job)}: {headway()} jobs resume {name}"
    if job.state == JOB_STATE_PAUSING:
        return f"{line}; its host is stopping it"
    return line if is_terminal(job.state) else f"{line}; watch it: {headway()} jobs watch {name}"
