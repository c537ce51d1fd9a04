"""One life of the bot without its process: everything that the wiring starts, the real discord.py, a fake Discord."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from pydantic import SecretStr

from headway.contract.errors import Code
from headway.contract.events import progress_event
from headway.contract.ids import JobName
from headway.contract.subjects import NOTIFIER
from headway.contract.times import timestamp
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.redaction import Redactor
from headway.runtime.remote_error import RemoteError
from headway.testing.clock import ManualClock
from headway.testing.discord.server import FakeDiscord
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_TRAINING,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    Job,
    JobState,
    Progress,
)
from headway.v1.records_pb2 import JobRecord, WatchesRecord
from notifier.batching import BatchRules
from notifier.discord.wiring import Assembly, Surroundings, assemble
from notifier.discord_section import DiscordSection
from notifier.watch_store import WatchStore
from tests.unit.notifier.life import Life, LifeOptions

RULES = BatchRules(window_seconds=0.1, gather_seconds=0.05)


@dataclass(slots=True)
class ScriptedGateway:
    """A gateway that knows the jobs a test gives it, and may be away."""

    jobs: dict[str, Job] = field(default_factory=dict)
    is_away: bool = False
    calls: list[tuple[str, str]] = field(default_factory=list)

    def put(self, *records: JobRecord) -> None:
        for record in records:
            self.jobs[record.job.name] = record.job

    async def get(self, name: JobName) -> Job:
        self._check_there()
        self.calls.append(("get", name.job_id))
        if name.name not in self.jobs:
            raise RemoteError(Code.NOT_FOUND, "JOB_NOT_FOUND", f"{name.name} was not found")
        return self.jobs[name.name]

    async def recent(self, projects: Sequence[str], limit: int) -> list[Job]:
        self._check_there()
        found = [job for job in self.jobs.values() if JobName.parse(job.name).project in projects]
        return found[::-1][:limit]

    async def pause(self, name: JobName) -> Job:
        return await self._change("pause", name, JOB_STATE_PAUSING)

    async def resume(self, name: JobName) -> Job:
        return await self._change("resume", name, JOB_STATE_QUEUED)

    async def cancel(self, name: JobName) -> Job:
        return await self._change("cancel", name, JOB_STATE_CANCELLING)

    def count(self, verb: str) -> int:
        return sum(called == verb for called, _ in self.calls)

    async def _change(self, verb: str, name: JobName, state: "JobState.ValueType") -> Job:
        job = await self.get(name)
        self.calls.append((verb, name.job_id))
        job.state = state
        return job

    def _check_there(self) -> None:
        if self.is_away:
            raise RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "failed to connect to all addresses")


@dataclass(slots=True)
class BotLife:
    """What runs between a start and a crash."""

    assembly: Assembly
    post: Life
    watches: WatchStore
    bus: Bus
    gateway: ScriptedGateway
    health: list[bool]

    @classmethod
    @asynccontextmanager
    async def of(
        cls,
        discord: FakeDiscord,
        bus: Bus,
        gateway: ScriptedGateway | None = None,
        *,
        clock: Clock | None = None,
        options: LifeOptions | None = None,
        is_control_enabled: bool = False,
        edit_seconds: float = 0.5,
        token: str = "",
    ) -> AsyncIterator[Self]:
        """A running bot with its post; not yet connected."""
        time, health = clock or SystemClock(), list[bool]()

        async def report_health(_part: str, is_well: bool) -> None:
            health.append(is_well)

        watches = WatchStore(bus.records(NOTIFIER, WatchesRecord), is_watching_all=True)
        await watches.load()
        script = gateway if gateway is not None else ScriptedGateway()
        around = Surroundings(
            bus=bus,
            gateway=script,
            watches=watches,
            redact=Redactor().clean,
            clock=time,
            report_health=report_health,
        )
        section = DiscordSection(
            token=SecretStr(token or discord.token),
            owner_id=str(discord.owner_id),
            api_base=discord.api_base,
            gateway_url=discord.gateway_url,
            is_control_enabled=is_control_enabled,
        )
        # Sooner than the settings allow, for a test that does not want to wait.
        hurried = section.model_copy(update={"edit_seconds": edit_seconds})
        assembly = await assemble(hurried, around)
        chosen = options if options is not None else LifeOptions(rules=RULES, sees_repeats=True)
        async with Life.of(bus, assembly.sink, time, chosen) as post:
            tasks = [asyncio.ensure_future(run()) for run in assembly.loops.values()]
            try:
                yield cls(assembly, post, watches, bus, script, health)
            finally:
                for task in tasks:
                    task.cancel()
                for task in tasks:
                    with suppress(asyncio.CancelledError):
                        await task

    async def publish(self, *records: JobRecord) -> None:
        """Every event of these jobs; the gateway knows them, too."""
        self.gateway.put(*records)
        for record in records:
            for event in events_of(record):
                await self.bus.publish(event.subject, event.body, message_id=event.message_id)

    async def report(self, record: JobRecord, step: int, *, loss: float = 0.5, total_steps: int = 100) -> None:
        """Some progress of a running job."""
        await self.bus.publish(*progress(record, step, loss=loss, total_steps=total_steps))


async def advance_until(clock: ManualClock, check: Callable[[], object], *, step_seconds: float = 1.0) -> None:
    """Move virtual time on, with some real time in each step for sockets, until something is true."""

    async def step() -> object:
        if found := check():
            return found
        await clock.advance(step_seconds)
        return None

    await eventually(step, timeout_seconds=60.0, interval_seconds=0.005)


def progress(record: JobRecord, step: int, *, loss: float = 0.5, total_steps: int = 100) -> tuple[str, bytes]:
    """Subject and body of a report."""
    known = Progress(
        attempt=1,
        phase=ATTEMPT_PHASE_TRAINING,
        epoch=1 + step // 10,
        total_epochs=total_steps // 10,
        step=step,
        total_steps=total_steps,
        loss=loss,
        samples_per_second=1234.0,
        measure_time=timestamp(datetime.now(UTC)),
    )
    known.eta.FromSeconds(total_steps - step)
    event = progress_event(record.job, "hosts/a", known)
    return event.subject, event.body
