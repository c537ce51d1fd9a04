"""`headway jobs pull`: the newest checkpoint of a job, which of a cancelled one is its partial model."""

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.session import run_with_client
from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import say
from headway.cli.view.jobs import job_id
from headway.cli.view.output import print_raw
from headway.cli.view.words import size_text
from headway.client import HeadwayClient


def pull_checkpoint(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Job id or full name.")],
    to: Annotated[Path | None, typer.Option(help="Folder to make.", show_default="JOB-STEP")] = None,
) -> None:
    """Bring the newest checkpoint of a job into a new folder, each file checked against its digest.

    Of a cancelled job that is its partial model: the weights as they were when it stopped, in the folder `training`.
    """

    async def work(client: HeadwayClient) -> None:
        found = await client.jobs.get(job)
        folder = to or Path(f"{job_id(found.name)}-{found.checkpoint.step}")
        with TransferBar() as bar:
            checkpoint = await client.jobs.pull_checkpoint(found.name, folder, on_progress=bar.show)
        files = checkpoint.bundle.artifacts
        size = size_text(sum(file.size_bytes for file in files))
        say(f"step {checkpoint.step}: {len(files)} files, {size}, every digest checked", "dim")
        print_raw(str(folder))

    run_with_client(ctx, work)
