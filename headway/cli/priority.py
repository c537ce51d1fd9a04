"""`headway jobs set-priority`: another place in the queue."""

from typing import Annotated

import typer

from headway.cli.session import run_with_client
from headway.cli.view.consoles import say
from headway.cli.view.jobs import job_id, show_job, state_style
from headway.cli.view.output import Output, OutputOption
from headway.client import HeadwayClient
from headway.contract.limits import PRIORITY_MAX, PRIORITY_MIN
from headway.contract.priority import base_priority
from headway.contract.states import state_name
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, Job

TAKES_NEGATIVE_NUMBERS = {"ignore_unknown_options": True}
"""Settings of the command: without them -5 would be taken for an option."""


def set_priority(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Job id or full name.")],
    priority: Annotated[int, typer.Argument(metavar="N", help=f"{PRIORITY_MIN} to {PRIORITY_MAX}; higher goes first.")],
    message: Annotated[str, typer.Option("--message", "-m", help="Why, for the job's history.")] = "",
    output: OutputOption = Output.NAME,
) -> None:
    """Let a job go sooner or later than others; doing it twice does no harm.

    One that waits goes to its new place in the queue at once; one that runs goes on, and has the new priority when it
    waits again. Each hour that a job waits counts as one point.
    """

    async def work(client: HeadwayClient) -> None:
        found = await client.jobs.set_priority(job, priority, message=message)
        say(await _line(client, found), state_style(state_name(found.state)))
        show_job(found, output)

    run_with_client(ctx, work)


async def _line(client: HeadwayClient, job: Job) -> str:
    line = f"{job_id(job.name)}  {state_name(job.state)}; priority {base_priority(job)}"
    if job.state != JOB_STATE_QUEUED:
        return line
    return f"{line}, {(await client.jobs.explain(job.name)).num_ahead} ahead"
