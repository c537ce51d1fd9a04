"""`headway demo`: the main job on real data, end to end."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import GlobalOptions
from headway.cli.listen.address import NatsAddress, find_nats_url
from headway.cli.listen.connection import subscribed
from headway.cli.session import connect, finish, home_of, options_of
from headway.cli.stack.home import Home
from headway.cli.stack.ports import choose_ports
from headway.cli.stack.running import Listener, running_stack
from headway.cli.stack.services import StackOptions
from headway.cli.tour.material import MODEL_ID, Material, write_material
from headway.cli.tour.steps import (
    Headings,
    pull,
    show_events,
    show_losses,
    show_metrics,
    show_mistakes,
    show_predictions,
    show_validation,
    train,
)
from headway.cli.up import show_notice, show_warning, status_table
from headway.cli.view.consoles import out, print_table, say
from headway.cli.view.jobs import job_id
from headway.cli.view.output import pairs_table
from headway.client.locate import running_address
from headway.runtime.clock import SystemClock

app = typer.Typer()

_NUM_STEPS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo runs.

    Attributes:
        options: that reach the gateway there.
        home: of the services.
        is_ours: whether the demo started them.
    """

    options: GlobalOptions
    home: Path
    is_ours: bool


@app.command("demo")
def demo(
    ctx: typer.Context,
    to: Annotated[Path, typer.Option(help="Folder for the demo's files and the model.")] = Path("headway-demo"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the services running afterwards, until Ctrl-C.")] = False,
) -> None:
    """Train a model on real data, end to end, and show each step.

    Uses the services that run on the home folder; where none run, it starts them, in a temporary folder unless --home
    names one, and stops them again. The model and the files of the demo stay.
    """
    options = options_of(ctx)
    finish(_demo(options, to, keep=keep), home=home_of(options))


async def _demo(options: GlobalOptions, folder: Path, *, keep: bool) -> ExitCode:
    clock = SystemClock()
    begin = clock.monotonic()
    material = await asyncio.to_thread(write_material, folder)
    headings = Headings(_NUM_STEPS)
    async with _services(options, headings) as place:
        job_name, bundle = await _tour(place, material, headings)
        _show_end(place, job_name, bundle, clock.monotonic() - begin, keep=keep)
        if keep and place.is_ours:
            # Ctrl-C is the ordinary end here.
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    return ExitCode.OK


async def _tour(place: Place, material: Material, headings: Headings) -> tuple[str, Path]:
    """Every step; returns the job's name and where its model lies."""
    address = NatsAddress(find_nats_url(place.home))
    async with connect(place.options) as client, subscribed(address, "trainer.>") as queue:
        headings.begin("a job file with three mistakes: every one is named, nothing is queued")
        await show_mistakes(client, material)
        headings.begin("the job file mended: what would happen")
        job_file = await show_validation(client, material)
        headings.begin("training, through all services")
        followed = await train(client, job_file)
        headings.begin("the result")
        show_metrics(followed.job)
        headings.begin("the model, registered by the gateway and pulled here")
        bundle = await pull(client, followed.job, material)
        show_losses(bundle)
        headings.begin("three predictions, from the model's files alone")
        await show_predictions(bundle, material)
        headings.begin("the events that anybody could hear on NATS meanwhile")
        await show_events(queue, job_id(followed.job.name))
        return followed.job.name, bundle


@asynccontextmanager
async def _services(options: GlobalOptions, headings: Headings) -> AsyncGenerator[Place, None]:
    """The services that run already, or a set of our own that ends with the demo."""
    home = home_of(options)
    if options.address or running_address(home, "gateway"):
        headings.begin(f"the services run already ({home})")
        yield Place(options, home, is_ours=False)
        return
    asked_for = options.home is not None or "HEADWAY_HOME" in os.environ
    folder = home if asked_for else Path(tempfile.mkdtemp(prefix="headway-demo-"))
    try:
        headings.begin(f"starting all services in {folder}")
        ours = replace(options, home=folder, address=None)
        stack = StackOptions(Home(folder), choose_ports(0), folder / "data")
        async with running_stack(stack, SystemClock(), Listener(show_notice, show_warning)) as supervisor:
            print_table(status_table(stack, supervisor))
            yield Place(ours, folder, is_ours=True)
    finally:
        if not asked_for:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _show_end(place: Place, job_name: str, bundle: Path, seconds: float, *, keep: bool) -> None:
    out().print()
    done = Text.assemble((f"done in {seconds:.0f} s.", "bold green"), " The model lies in ", (str(bundle), "bold"))
    out().print(done)
    stopped = "The services are stopped again. " if place.is_ours and not keep else ""
    out().print(f"{stopped}What to try next:")
    print_table(pairs_table(_next_commands(place, job_name, bundle, keep=keep)))
    if shutil.which("headway") is None:
        out().print(f"(headway is not on your PATH yet: . {Path(sys.executable).parent}/activate)", markup=False)
    if keep and place.is_ours:
        say(f"the services go on running on {place.home}; Ctrl-C stops them")


def _next_commands(place: Place, job_name: str, bundle: Path, *, keep: bool) -> list[tuple[str, str]]:
    if place.is_ours and not keep:
        return [
            ("headway up", "start all services, to stay; the rest in another terminal"),
            (f"headway submit {bundle.parent}/job.yaml --wait", "train the same model there"),
            (
                f"headway submit {bundle.parent}/job.yaml -w --set tabular_train.hidden_dim=128",
                "... with a field changed",
            ),
            ("headway models list", "what was trained, and how good it is"),
            ("headway doctor", "whether all is well on this machine"),
        ]
    headway = f"headway --home {place.home}" if place.is_ours or place.options.home else "headway"
    return [
        (f"{headway} jobs get {job_id(job_name)}", "the job with its history"),
        (f"{headway} jobs logs {job_id(job_name)}", "what the trainer said"),
        (f"{headway} models get {MODEL_ID}", "every version of the model"),
        (f"{headway} hosts list", "what jobs can run on"),
        (f"{headway} events tail", "listen while you submit the next job"),
    ]
