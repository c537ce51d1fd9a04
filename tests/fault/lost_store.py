"""Ways to lose the JetStream store, and `headway recover` as a process, for tests of what happens then."""

import asyncio
import json
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from headway.contract.subjects import EVENTS, JOB_EVENTS_CONSUMER, JOBS
from headway.runtime.nats_bus import NatsBus
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from tests.fault.cluster import FaultCluster
from tests.fault.saving import SavingCluster
from tests.fault.small_model import right_weights, small_spec

LIMIT_SECONDS = 60.0
_MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True, slots=True)
class RoleEnd:
    """How one of the gateway's other roles ended."""

    exit_code: int
    said: dict[str, object]
    log: str


def store_folder(cluster: FaultCluster) -> Path:
    """Where nats-server keeps everything."""
    return cluster.nats.folder / "store"


def projection_file(cluster: FaultCluster) -> Path:
    """The gateway's second copy."""
    return cluster.gateway.home / "gateway" / "projection.db"


async def lose_store(cluster: FaultCluster) -> None:
    """Kill nats-server, delete all that it kept, start it again: it is empty, and nobody is told."""
    cluster.nats.kill9()
    shutil.rmtree(store_folder(cluster))
    cluster.nats.start()
    await cluster.nats.ready()


async def run_role(cluster: FaultCluster, *arguments: str, environ: dict[str, str] | None = None) -> RoleEnd:
    """`python -m gateway ARGUMENTS` with the gateway's own settings, to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        env={**cluster.gateway.plan.environment, **(environ or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, log = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    lines = output.decode().splitlines()
    assert process.returncode is not None
    return RoleEnd(process.returncode, json.loads(lines[-1]) if lines else {}, log.decode())


async def recovered(cluster: FaultCluster) -> dict[str, object]:
    """Stop the gateway and the schedulers, recover, start them again; what was recovered."""
    for proc in (cluster.gateway, *cluster.schedulers):
        await proc.terminate()
    end = await run_role(cluster, "recover")
    assert end.exit_code == 0, (end.said, end.log)
    assert end.said["state"] == "recovered"
    await cluster.start()
    return end.said


async def until_mirrored(cluster: FaultCluster, bus: NatsBus) -> None:
    """Wait until the gateway's second copy has all that the store has, and knows that every event is out."""

    async def is_mirrored() -> bool:
        state = await bus.stream_state(JOBS)
        told = await bus.acknowledged(JOBS, JOB_EVENTS_CONSUMER)
        with closing(sqlite3.connect(projection_file(cluster))) as file:
            (seen,) = file.execute("SELECT last_sequence FROM position").fetchone()
            (noted,) = file.execute("SELECT told_sequence FROM store").fetchone()
        return bool(state.last_sequence == seen == told == noted)

    await eventually(is_mirrored, timeout_seconds=LIMIT_SECONDS, interval_seconds=0.1)


async def event_ids(bus: NatsBus) -> list[str]:
    """The message ids of every event, in the order of the stream."""
    told: list[str] = []
    async with bus.feed(EVENTS) as feed:
        while not feed.is_caught_up:
            message = await anext(aiter(feed))
            told.append(message.headers[_MESSAGE_ID])
    return told


async def until_lost(cluster: FaultCluster) -> None:
    """Wait until the gateway refuses writes because of the store."""

    async def is_refused() -> bool:
        try:
            await cluster.submit(small_spec("refused"))
        except RemoteError as error:
            return error.reason == "STORE_LOST"
        raise AssertionError("a submission was acknowledged into a store that had lost everything")

    await eventually(is_refused, timeout_seconds=LIMIT_SECONDS, interval_seconds=0.1)


async def succeeded(saving: SavingCluster, name: str) -> str:
    """A job that has made its model."""
    job = await saving.begun(name)
    saving.go(name)
    await saving.cluster.ended(job)
    await saving.until_told(job)
    return job


async def check_model(saving: SavingCluster, job: str, name: str, *, num_steps: int = 1) -> None:
    """The job's one model, byte for byte."""
    folder = saving.gates / f"{name}.{saving.cluster.gateway.num_starts}.pulled"
    await saving.cluster.client().models.pull(job.rpartition("/")[2], folder)
    assert (folder / "model.safetensors").read_bytes() == right_weights(name, num_steps)


async def listed(cluster: FaultCluster) -> set[str]:
    """The names of all jobs."""
    return {job.name async for job in cluster.client().jobs.list()}
