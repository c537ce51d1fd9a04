"""`headway events`: a plain NATS subscriber, as anybody could write one."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import nats
import typer
from nats.aio.msg import Msg
from nats.errors import NoServersError

from headway.cli.exit_codes import ExitCode
from headway.cli.session import finish, home_of, options_of
from headway.cli.view.consoles import out, say, visible
from headway.cli.view.output import Output, OutputOption, print_raw
from headway.contract.errors import ServiceUnavailable

app = typer.Typer(no_args_is_help=True)

DEFAULT_NATS_URL = "nats://127.0.0.1:4222"
_CONNECT_SECONDS = 3
_SAID_ALREADY = frozenset({"run_id", "request_id", "project", "kind", "user_id", "sequence", "status", "queue"})


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One event in short.

    Attributes:
        time: as the event says it.
        subject: it came on.
        data: its fields.
    """

    time: str
    subject: str
    data: dict[str, object]

    @property
    def line(self) -> str:
        """The event on one line, without what its subject says already."""
        shown = ((name, value) for name, value in self.data.items() if name not in _SAID_ALREADY and value)
        return f"{self.time[11:19]}  {self.subject}  {' '.join(f'{name}={_short(value)}' for name, value in shown)}"


@app.callback()
def events() -> None:
    """Follow the events on NATS."""


@app.command("tail")
def tail_events(
    ctx: typer.Context,
    job: Annotated[str, typer.Option(help="Only those of this job id.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Progress and log lines too.")] = False,
    nats_url: Annotated[
        str, typer.Option(envvar="HEADWAY_NATS_URL", help="Where nats-server listens, unless it runs here.")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Print events as they happen, until Ctrl-C; -o json prints each as it is on the wire."""
    home = home_of(options_of(ctx))
    finish(_tail(nats_url or find_nats_url(home), job, output, everything=everything))


async def _tail(url: str, job: str, output: Output, *, everything: bool) -> ExitCode:
    async with subscribed(url, "trainer.>") as queue:
        say(f"listening to trainer.> at {url}; Ctrl-C ends", "dim")
        while True:
            message = await queue.get()
            if not is_wanted(message.subject, job, everything=everything):
                continue
            if output in {Output.JSON, Output.JSONL}:
                print_raw(message.data.decode("utf-8", "replace"))
            elif output == Output.NAME:
                print_raw(message.subject)
            else:
                out().print(visible(read_event(message).line), markup=False)


async def _ignore(_error: Exception) -> None:
    """What the library has to say about single tries; the other two callbacks say what a person needs."""


async def _say_back() -> None:
    say("connected again; what happened in between was missed", "yellow")


@asynccontextmanager
async def subscribed(url: str, subject: str) -> AsyncGenerator[asyncio.Queue[Msg], None]:
    """The messages of a subject as they come.

    Raises:
        ServiceUnavailable: nothing answers at the address.
    """
    is_over = False

    async def say_lost() -> None:
        # The library calls this too when it is we who hang up.
        if not is_over:
            say("the connection to nats-server is lost; trying again ...", "yellow")

    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await nats.connect(
                url, max_reconnect_attempts=-1, error_cb=_ignore, disconnected_cb=say_lost, reconnected_cb=_say_back
            )
    except (OSError, NoServersError, TimeoutError) as error:
        raise ServiceUnavailable(f"nats-server does not answer at {url}; name another with --nats-url") from error
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    try:
        await connection.subscribe(subject, cb=queue.put)
        await connection.flush()
        yield queue
    finally:
        is_over = True
        await connection.close()


def is_wanted(subject: str, job: str, *, everything: bool) -> bool:
    """Whether an event is shown: of the job asked for, and lossy streams only when everything is wanted."""
    is_lossy = subject.startswith(("trainer.train.progress.", "trainer.log."))
    is_of_job = not job or subject.endswith(f".{job.rpartition('/')[2]}")
    return is_of_job and (everything or not is_lossy)


def read_event(message: Msg) -> ShownEvent:
    """An event from its CloudEvent; what is none is shown by its subject."""
    try:
        event = json.loads(message.data)
        data = event.get("data", {})
        return ShownEvent(str(event.get("time", "")), message.subject, data if isinstance(data, dict) else {})
    except (ValueError, AttributeError):
        return ShownEvent("", message.subject, {})


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{len(value)} values" if isinstance(value, dict) else str(value)


def find_nats_url(home: Path) -> str:
    """Where `headway up` runs nats-server for this home folder; the usual address when it does not."""
    try:
        return str(json.loads((home / "run.json").read_text(encoding="utf-8"))["nats_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_NATS_URL
