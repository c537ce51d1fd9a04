"""Follows a job to its end on the terminal: live where there is one, in plain lines elsewhere."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from rich.live import Live

from headway.cli.exit_codes import ExitCode, exit_code_of_job
from headway.cli.global_options import headway
from headway.cli.view.consoles import err, say
from headway.cli.view.jobs import job_id
from headway.cli.view.progress import Follower, draw, plain_line
from headway.client import HeadwayClient, RemoteError
from headway.runtime.clock import Clock, SystemClock
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import WatchJobResponse

_PLAIN_SECONDS = 5.0
_FRAMES_PER_SECOND = 8


@dataclass(frozen=True, slots=True)
class Followed:
    """How following a job ended.

    Attributes:
        job: as last told.
        losses: the training losses that were told.
        exit_code: of the job, or TIMEOUT.
    """

    job: Job
    losses: tuple[float, ...]
    exit_code: ExitCode


async def follow(client: HeadwayClient, name: str, *, timeout_seconds: float | None = None) -> Followed:
    """Show a job's progress on stderr until it ends.

    Ctrl-C detaches: the job goes on, and the way back is printed. So does the time limit.

    Args:
        client: of the gateway.
        name: of the job.
        timeout_seconds: how long to follow; None for as long as it takes.

    Raises:
        RemoteError: the job cannot be read, or the gateway stayed away.
        CancelledError: Ctrl-C.
    """
    follower, outage = Follower(), _Outage()
    show: _Live | _Plain = _Live(follower) if err().is_terminal else _Plain(follower, SystemClock())
    try:
        async with asyncio.timeout(timeout_seconds):
            with show:
                async with aclosing(client.jobs.watch(name, on_break=outage.tell)) as messages:
                    async for message in messages:
                        outage.is_told = False
                        show.take(message)
    except TimeoutError:
        say(f"time is up; the job goes on. {way_back(name)}", "yellow")
        return Followed(follower.job, tuple(follower.losses), ExitCode.TIMEOUT)
    except asyncio.CancelledError:
        say(f"detached; the job goes on. {way_back(name)}", "yellow")
        raise
    return Followed(follower.job, tuple(follower.losses), exit_code_of_job(follower.job.state))


def way_back(name: str) -> str:
    """How to go on watching, or to stop the job."""
    job = job_id(name)
    return f"Watch it with `{headway()} jobs watch {job}`, stop it with `{headway()} jobs cancel {job}`."


@dataclass(slots=True)
class _Outage:
    """An absence of the gateway, told once however many tries it takes."""

    is_told: bool = False

    def tell(self, error: RemoteError) -> None:
        if not self.is_told:
            self.is_told = True
            say(f"the gateway is away ({error.reason}); trying again ...", "yellow")


class _Live:
    """A picture that is drawn anew; transitions stay above it."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._live = Live(console=err(), refresh_per_second=_FRAMES_PER_SECOND, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def take(self, message: WatchJobResponse) -> None:
        for line in self._follower.take(message):
            say(line)
        self._live.update(draw(self._follower))


class _Plain:
    """Lines: every transition, and progress now and then."""

    def __init__(self, follower: Follower, clock: Clock) -> None:
        self._follower = follower
        self._clock = clock
        self._last = ("", -_PLAIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def take(self, message: WatchJobResponse) -> None:
        for line in self._follower.take(message):
            say(line)
        line, now = plain_line(self._follower), self._clock.monotonic()
        is_due = now - self._last[1] >= _PLAIN_SECONDS and line != self._last[0]
        if message.WhichOneof("update") == "progress" and is_due:
            self._last = (line, now)
            say(f"          {line}")
