"""`headway submit`: a job file becomes a job."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.follow import follow, way_back
from headway.cli.global_options import GlobalOptions
from headway.cli.jobfile.load import JobFile, load_job_file, read_text
from headway.cli.local_data import upload_named_data
from headway.cli.session import connect, finish, home_of, options_of
from headway.cli.view.consoles import say
from headway.cli.view.jobs import show_job
from headway.cli.view.output import Output, OutputOption, print_raw, show_item
from headway.client import HeadwayClient
from headway.v1.jobs_pb2 import Job

app = typer.Typer()

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Job file: YAML, or TOML when it ends in .toml; - reads standard input.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a field: tabular_train.epochs=5. May be repeated."),
]
UploadOption = Annotated[
    bool,
    typer.Option(
        "--upload/--no-upload",
        help="Upload a data_path that is a file here as a dataset; else it is a path below the gateway's data root.",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="SECONDS", help="Stop watching after this; exit 7."),
]
RequestIdOption = Annotated[str | None, typer.Option(help="Makes the call safe to repeat: same id, same job.")]
WaitOption = Annotated[bool, typer.Option("--wait", "-w", help="Watch it until it ends; exit 1 unless it succeeds.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a job is submitted.

    Attributes:
        output: form of what is printed.
        upload: whether local data is uploaded.
        wait: whether the job is watched to its end.
        timeout_seconds: how long to watch.
        request_id: makes the call safe to repeat; None takes the file's.
    """

    output: Output
    upload: bool
    wait: bool
    timeout_seconds: float | None
    request_id: str | None


@app.command("submit")
def submit(
    ctx: typer.Context,
    file: FileArgument,
    settings: SetOption = None,
    wait: WaitOption = False,
    timeout_seconds: TimeoutOption = None,
    request_id: RequestIdOption = None,
    upload: UploadOption = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Queue a job from a YAML or TOML file.

    The file has the shape of JobSpec, for example:

        display_name: churn
        tabular_train:
          data_path: churn.csv
          target_column: churned

    Prints the job's name; with --wait and -o json the whole job as it ended. Ctrl-C detaches: the job goes on.
    """
    options, job_file = prepare(ctx, file, settings)
    wanted = Wanted(output, upload, wait, timeout_seconds, request_id)
    finish(_submit(options, job_file, wanted), home=home_of(options))


async def _submit(options: GlobalOptions, job_file: JobFile, wanted: Wanted) -> ExitCode:
    async with connect(options) as client:
        return await submit_with(client, job_file, wanted)


async def submit_with(client: HeadwayClient, job_file: JobFile, wanted: Wanted) -> ExitCode:
    """Queue what a job file asks for, and watch it when that is wanted.

    Raises:
        RemoteError: refused; nothing was queued.
    """
    if wanted.upload:
        job_file = await upload_named_data(client, job_file)
    request_id = wanted.request_id or job_file.request_id or None
    job = await client.jobs.create(job_file.spec, request_id=request_id)
    for warning in job.admission.warnings:
        say(f"warning: {warning}", "yellow")
    if not wanted.wait:
        _show_queued(job, wanted.output)
        return ExitCode.OK
    if wanted.output in {Output.TABLE, Output.NAME}:
        print_raw(job.name)
    followed = await follow(client, job.name, timeout_seconds=wanted.timeout_seconds)
    if wanted.output != Output.NAME:
        show_job(followed.job, wanted.output)
    return followed.exit_code


def _show_queued(job: Job, output: Output) -> None:
    if output in {Output.TABLE, Output.NAME}:
        print_raw(job.name)
        say(f"queued. {way_back(job.name)}", "dim")
    else:
        show_item(job, job.name, (), output)


def prepare(ctx: typer.Context, file: Path, settings: list[str] | None) -> tuple[GlobalOptions, JobFile]:
    """The options and the job file of a command line; ends it with exit code 2 for a file that is none."""
    options = options_of(ctx)
    loaded: list[JobFile] = []

    async def load() -> ExitCode:
        loaded.append(load_job_file(file, read_text(file), settings or ()))
        return ExitCode.OK

    finish(load())
    (job_file,) = loaded
    return replace(options, project=options.project or job_file.project or None), job_file
