"""`headway validate`: what would become of a job file."""

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import GlobalOptions
from headway.cli.jobfile.load import JobFile
from headway.cli.local_data import upload_named_data
from headway.cli.session import connect, finish, home_of
from headway.cli.submit import FileArgument, SetOption, UploadOption, prepare
from headway.cli.view.consoles import say
from headway.cli.view.jobs import admission_rows
from headway.cli.view.output import Output, OutputOption, show_item

app = typer.Typer()


@app.command("validate")
def validate(
    ctx: typer.Context,
    file: FileArgument,
    settings: SetOption = None,
    upload: UploadOption = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Check a job file and say what would happen; queues nothing.

    Runs the gateway's whole validation. A data_path that is a file here is uploaded first, because its columns are
    checked too.
    """
    options, job_file = prepare(ctx, file, settings)
    finish(_validate(options, job_file, output, upload=upload), home=home_of(options))


async def _validate(options: GlobalOptions, job_file: JobFile, output: Output, *, upload: bool) -> ExitCode:
    async with connect(options) as client:
        if upload:
            job_file = await upload_named_data(client, job_file)
        job = await client.jobs.validate(job_file.spec)
    say("valid", "green")
    show_item(job, "valid", admission_rows(job), output)
    return ExitCode.OK
