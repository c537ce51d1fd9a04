"""A cluster whose jobs make models, and a job that a test lets save its model at the moment it chooses."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.blobs.layout import KEPT_SUFFIX, PART_SUFFIX
from gateway.registrar import DURABLE
from headway.contract.digests import hex_of
from headway.contract.events import transition_number
from headway.contract.ids import JobName
from headway.contract.subjects import EVENTS, JOBS, all_job_events_subject, every_job_event_subject, model_event_subject
from headway.runtime.channel import open_channel
from headway.runtime.keys import read_key_file
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.remote_error import answer
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Job
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultRequest, CommitResultResponse
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.fault.cluster import PROJECT, FaultCluster, fault_cluster
from tests.fault.process import Proc
from tests.fault.small_model import DATA, DATA_PATH, FAKE_TORCH, GATES, SMALL_MODEL, right_weights, small_spec

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

FAILPOINT = "HEADWAY_FAILPOINT"
KILLED = -9
_ROOT = Path(__file__).resolve().parents[2]
_LIMIT_SECONDS = 60.0
_MESSAGE_ID = "Nats-Msg-Id"


@dataclass(slots=True)
class SavingCluster:
    """What a test may touch."""

    cluster: FaultCluster
    bus: NatsBus
    result: "ResultServiceAsyncStub"
    gates: Path

    @property
    def procs(self) -> dict[str, Proc]:
        """Those that can be told to fail, by service."""
        cluster = self.cluster
        return {"gateway": cluster.gateway, "scheduler": cluster.schedulers[0], "trainer_host": cluster.hosts[0]}

    async def mended(self) -> None:
        """Everything runs, and nothing is told to fail, whatever an earlier test left."""
        await self.cluster.revive()

    async def until_registrar_idle(self) -> None:
        """Wait until the registrar has nothing left to do: else it might meet the failpoint meant for a new job.

        What a killed gateway did not acknowledge comes again after half a minute.
        """
        await eventually(self._is_registrar_idle, timeout_seconds=_LIMIT_SECONDS)

    async def _is_registrar_idle(self) -> bool:
        completed = await self.bus.last_message(EVENTS, every_job_event_subject("completed"))
        return completed is None or await self.bus.acknowledged(EVENTS, DURABLE.name) >= completed.sequence

    async def begun(self, name: str, *, num_steps: int = 1) -> str:
        """Submit a job and wait until it trains; returns its name."""
        job = await self.cluster.submit(small_spec(name, num_steps=num_steps))
        await self.until_begun(name)
        await self.until_told(job)
        return job

    async def until_begun(self, name: str) -> None:
        """Wait until a job trains."""
        await eventually((self.gates / f"{name}.begun").exists, timeout_seconds=_LIMIT_SECONDS)

    async def until_told(self, job: str) -> None:
        """Wait until every transition of a job so far is an event on the stream."""

        async def is_told() -> bool:
            parsed = JobName.parse(job)
            last = await self.bus.last_message(EVENTS, all_job_events_subject(parsed.project, parsed.job_id))
            told = transition_number(last.headers.get(_MESSAGE_ID, "")) if last is not None else 0
            return told == (await self.cluster.get(job)).transitions[-1].number

        await eventually(is_told, timeout_seconds=_LIMIT_SECONDS)

    def go(self, name: str) -> None:
        """Let a job take its steps and save its model."""
        (self.gates / f"{name}.go").touch()

    def finish(self, name: str) -> None:
        """Let a job that keeps checkpoints take its last step."""
        (self.gates / f"{name}.finish").touch()

    async def is_delivered(self, job: str) -> bool:
        """Whether a job has succeeded and its host has put its result away; asks the store, and not the gateway."""
        stored = await self.bus.records(JOBS, JobRecord).find(JobName.parse(job).job_id)
        host = self.cluster.hosts[0]
        waiting = _files(host.home / "hosts" / host.name / "outbox")
        return stored is not None and stored.value.job.state == JOB_STATE_SUCCEEDED and not waiting

    async def died(self, proc: Proc) -> None:
        """Wait until a process has killed itself, as it was told."""
        code = await proc.ended(_LIMIT_SECONDS)
        assert code == KILLED, f"{proc.name} should have been killed at the failpoint, not have ended with {code}"

    def was_answered_duplicate(self, ended: Job) -> bool:
        """Whether the host's last delivery of a job's result was answered DUPLICATE."""
        lines = self.cluster.hosts[0].log().splitlines()
        committed = [line for line in lines if "result committed" in line and ended.name in line]
        return f'"disposition": {int(CommitResultResponse.DISPOSITION_DUPLICATE)}' in committed[-1]

    async def commit_again(self, job: Job) -> CommitResultResponse:
        """What a host does that never heard that its result was taken."""
        request = CommitResultRequest(
            job=job.name,
            attempt=job.result.attempt,
            host=job.attempts[-1].host,
            bundle=job.result.bundle,
            summary=job.result.summary,
        )
        return await answer(self.result.CommitResult(request))

    async def ended_well(self, name: str, job: str, *, num_steps: int = 1, max_attempts: int = 1) -> Job:
        """Wait for the end, and assert all that table 4.2 promises of it."""
        ended = await self.cluster.ended(job)
        assert ended.state == JOB_STATE_SUCCEEDED, ended
        assert 1 <= ended.attempt <= max_attempts, f"{ended.attempt} attempts, and {max_attempts} are enough"
        assert (await self.commit_again(ended)).disposition == CommitResultResponse.DISPOSITION_DUPLICATE
        await self._check_the_model(name, ended, num_steps)
        await self._check_the_events(ended)
        await eventually(lambda: self.litter(ended) == [], timeout_seconds=_LIMIT_SECONDS)
        await self.cluster.check()
        return ended

    async def _check_the_model(self, name: str, ended: Job, num_steps: int) -> None:
        model_id = JobName.parse(ended.name).job_id
        model = await self.cluster.client().models.get(model_id)
        assert [version.name for version in model.versions] == [ended.result.model_version], "exactly one model"
        folder = self.gates / f"{name}.pulled"
        await self.cluster.client().models.pull(model_id, folder)
        assert (folder / "model.safetensors").read_bytes() == right_weights(name, num_steps), "and the right one"

    async def _check_the_events(self, ended: Job) -> None:
        await self.until_told(ended.name)
        model_id = JobName.parse(ended.name).job_id
        told: list[str] = []
        async with self.bus.feed(EVENTS) as feed:
            while not feed.is_caught_up:
                message = await anext(aiter(feed))
                if model_id in message.subject:
                    told.append(message.headers[_MESSAGE_ID])
        assert len(set(told)) == len(told), f"an event is told twice: {told}"
        subject = model_event_subject("registered", PROJECT, model_id)
        assert await self.bus.last_message(EVENTS, subject) is not None, "the registration should be told"

    def litter(self, ended: Job) -> list[str]:
        """Every file that a save leaves on its way, wherever it lies.

        Not the beginning of a checkpoint that was never finished, which waits two days for somebody to go on with it;
        and not a whole checkpoint: a job that went on elsewhere may come back, so a host keeps those of some jobs.
        """
        gateway = self.cluster.gateway.home / "gateway" / "blobs"
        host = self.cluster.hosts[0].home / "hosts" / self.cluster.hosts[0].name
        saved = {hex_of(file.digest) for file in ended.result.bundle.artifacts}
        found = [path for path in _files(gateway) if path.parent.name == "incoming"]
        found = [path for path in found if path.suffix != KEPT_SUFFIX or path.stem in saved]
        found += [path for path in _files(host) if {"outbox", "work"} & set(path.relative_to(host).parts)]
        found += [path for path in _files(host) if path.name.startswith(".") or path.suffix == PART_SUFFIX]
        return [str(path.relative_to(self.cluster.folder)) for path in found]


def _files(root: Path) -> list[Path]:
    """Every file below a folder, of which some may go at this very moment."""
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]


@asynccontextmanager
async def saving_cluster(
    folder: Path, *, gateway_environ: Mapping[str, str] | None = None
) -> AsyncIterator[SavingCluster]:
    """A gateway, a scheduler and a host of the small recipe, for the length of the block."""
    gates, torch = folder / "gates", folder / "fake_torch"
    data = folder / "gateway" / "home" / "data"
    for made in (gates, torch, data):
        made.mkdir(parents=True)
    (torch / "torch.py").write_text(FAKE_TORCH)
    (data / DATA_PATH).write_text(DATA)
    environ = {
        "PYTHONPATH": os.pathsep.join([str(torch), str(_ROOT)]),
        GATES: str(gates),
        "HEADWAY_TRAINER_HOST__RECIPES": f'["{SMALL_MODEL}"]',
    }
    async with (
        fault_cluster(folder, host_environ=environ, gateway_environ=gateway_environ) as cluster,
        connect(cluster.plan.nats_url, "test") as bus,
        open_channel(cluster.gateway.address, api_key=read_key_file(cluster.plan.key_path)) as channel,
    ):
        yield SavingCluster(cluster, bus, ResultServiceStub(channel), gates)
