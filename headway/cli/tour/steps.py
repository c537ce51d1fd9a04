"""The steps of the demo; each says what it does, does it through the services, and shows what came of it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from nats.aio.msg import Msg
from rich.table import Table
from rich.text import Text

from headway.cli.exit_codes import ExitCode
from headway.cli.follow import Followed, follow
from headway.cli.jobfile.load import JobFile, load_job_file
from headway.cli.listen.heard import HeardEvent, read_event
from headway.cli.local_data import upload_named_data
from headway.cli.tour.bundle import plot_losses, predict, read_history
from headway.cli.tour.material import Material
from headway.cli.view.consoles import out, print_table
from headway.cli.view.errors import show_error
from headway.cli.view.jobs import admission_rows, job_id
from headway.cli.view.output import pairs_table
from headway.cli.view.results import result_rows, result_tables
from headway.cli.view.words import size_text
from headway.client import HeadwayClient, RemoteError
from headway.contract.errors import InternalError
from headway.v1.jobs_pb2 import Job

_PLOT_WIDTH = 78
_EVENT_SECONDS = 3.0
_LAST_EVENTS = ("completed", "registered")
_LOSSY = ("trainer.train.progress.", "trainer.log.")


@dataclass(slots=True)
class Headings:
    """Numbered headings."""

    total: int
    number: int = 0

    def begin(self, title: str) -> None:
        """Print the next heading."""
        self.number += 1
        out().print()
        out().print(Text(f"{self.number}/{self.total}  {title}", style="bold cyan"))


async def show_mistakes(client: HeadwayClient, material: Material) -> None:
    """Validate the bad job file; its errors are what is shown.

    Raises:
        InternalError: the gateway took it for valid.
    """
    try:
        await client.jobs.validate((await _load(client, material.bad_job)).spec)
    except RemoteError as error:
        out().print(f"$ headway validate {material.bad_job.name}", markup=False, style="dim")
        show_error(error)
    else:
        raise InternalError("the gateway took a job file with three mistakes for valid")


async def show_validation(client: HeadwayClient, material: Material) -> JobFile:
    """Upload the table and validate the good job file; returns it with its data in place."""
    out().print(f"$ headway validate {material.job.name}", markup=False, style="dim")
    job_file = await _load(client, material.job)
    job = await client.jobs.validate(job_file.spec)
    print_table(pairs_table(admission_rows(job)))
    return job_file


async def train(client: HeadwayClient, job_file: JobFile) -> Followed:
    """Submit the job and follow it; a failure of the job ends the demo with its reason."""
    out().print("$ headway submit job.yaml --wait", markup=False, style="dim")
    job = await client.jobs.create(job_file.spec)
    out().print(job.name, markup=False)
    followed = await follow(client, job.name)
    if followed.exit_code is not ExitCode.OK:
        raise InternalError(f"the job ended as {followed.job.failure.reason}: {followed.job.failure.message}")
    return followed


def show_metrics(job: Job) -> None:
    """The numbers of the result, and what they are judged by."""
    print_table(pairs_table(result_rows(job.result.summary)))
    for table in result_tables(job.result.summary):
        print_table(table)


async def pull(client: HeadwayClient, job: Job, material: Material) -> Path:
    """Bring the model's files here."""
    folder = material.folder / f"model-{job_id(job.name)[:9]}"
    version = await client.models.pull(job.result.model_version, folder)
    for artifact in version.bundle.artifacts:
        out().print(f"  {folder / artifact.path}  {size_text(artifact.size_bytes)}", markup=False)
    return folder


def show_losses(bundle: Path) -> None:
    """Loss curves, drawn from the bundle's history."""
    width = min(_PLOT_WIDTH, out().width)
    text = plot_losses(read_history(bundle), width=width, colored=out().color_system is not None)
    out().print(Text.from_ansi(text))


async def show_predictions(bundle: Path, material: Material) -> None:
    """Three predictions beside the truth."""
    command = f"$ python -m trainer_host.recipes.tabular_train.predict {bundle} {material.rows}"
    out().print(command, markup=False, style="dim")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("row", "predicted", "probability", "truth"):
        table.add_column(title)
    predictions = await predict(bundle, material.rows)
    for index, (found, truth) in enumerate(zip(predictions, material.answers, strict=True), start=1):
        probability = found.probabilities.get(str(found.prediction))
        style = "green" if found.prediction == truth else "red"
        shown = f"{probability:.3f}" if probability is not None else "-"
        table.add_row(str(index), Text(str(found.prediction), style=style), shown, truth)
    print_table(table)


async def show_events(queue: asyncio.Queue[Msg], run_id: str) -> None:
    """Every event of the job that passed on NATS, in order; progress and log lines are only counted."""
    seen = await _collect_events(queue, run_id)
    lasting = [event for event in seen if not event.subject.startswith(_LOSSY)]
    for event in lasting:
        out().print(f"  {event.line}", markup=False)
    out().print(f"  and {len(seen) - len(lasting)} events of progress and log lines", style="dim")


async def _collect_events(queue: asyncio.Queue[Msg], run_id: str) -> list[HeardEvent]:
    """The job's events, until the last one has come or a few seconds are over: they are published a moment later."""
    seen: list[HeardEvent] = []
    missing = {f".{word}." for word in _LAST_EVENTS}
    try:
        async with asyncio.timeout(_EVENT_SECONDS):
            while missing:
                message = await queue.get()
                event = read_event(message.subject, message.data)
                if event.run_id == run_id:
                    seen.append(event)
                    missing -= {word for word in missing if word in event.subject}
    except TimeoutError:
        pass
    return seen


async def _load(client: HeadwayClient, path: Path) -> JobFile:
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    return await upload_named_data(client, load_job_file(path, text))
