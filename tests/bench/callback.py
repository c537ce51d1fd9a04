"""The callback of a 100 MB state dict, host disk to gateway disk, beside the original's way."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from headway.client.client import HeadwayClient
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName
from headway.contract.subjects import JOBS
from headway.contract.transitions import claim
from headway.runtime.clock import SystemClock
from headway.runtime.nats_bus import connect
from headway.testing.nats import running_nats
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, CustomSpec, JobSpec
from headway.v1.records_pb2 import JobRecord
from tests.bench.callback_sender import NUM_TENSORS
from tests.bench.load import median
from tests.bench.processes import gateway, port_printer, resident_mib
from tests.bench.report import Row
from tests.bench.seed_callback import send

MEGABYTES = 100
_ROUNDS = 3
_SPEED_BAR = 8.0
_GROWTH_BAR_MIB = 64.0
_LOOK_SECONDS = 0.01
_HOST = HostFacts(
    "hosts/bench", EXECUTION_MODE_HOST, 1, 2, 1024, (), frozenset({"bench"}), has_torch=True, draining=False
)


@dataclass(frozen=True, slots=True)
class _Taken:
    """One delivery: MB/s, and how much sender and gateway grew by, MiB."""

    speed: float
    agent_growth: float
    gateway_growth: float


async def measure() -> list[Row]:
    """Both ways in turn, round by round."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        async with _gateway(folder) as bench, port_printer("-m", "tests.bench.seed_callback", str(folder)) as port:
            await bench.deliver(folder / "warm", 4)
            ours, seed = [], []
            for number in range(_ROUNDS):
                ours.append(await bench.deliver(folder / str(number), MEGABYTES))
                seed.append(await asyncio.to_thread(_seed_speed, port))
    ratio = median([one.speed / other for one, other in zip(ours, seed, strict=True)])
    return [
        Row(
            f"Callback of a {MEGABYTES} MB fp32 state dict",
            f"{median([one.speed for one in ours]):.0f} MB/s",
            f"torch.save, gzip, base64, JSON POST: {median(seed):.1f} MB/s",
            f"{ratio:.1f}",
            f"at least {_SPEED_BAR:g}",
            ratio >= _SPEED_BAR,
        ),
        *(
            _growth(who, max(growths))
            for who, growths in {
                "trainer host's agent": [one.agent_growth for one in ours],
                "gateway": [one.gateway_growth for one in ours],
            }.items()
        ),
    ]


def _growth(who: str, growth: float) -> Row:
    is_met = growth <= _GROWTH_BAR_MIB
    return Row(
        f"Growth of the {who} meanwhile, worst", f"{growth:.0f} MiB", "", "", f"at most {_GROWTH_BAR_MIB:g} MiB", is_met
    )


class _Bench:
    """A gateway, and the jobs whose results it is sent."""

    def __init__(self, client: HeadwayClient, nats_url: str, gateway_pid: int) -> None:
        self._client = client
        self._nats_url = nats_url
        self._gateway_pid = gateway_pid

    async def deliver(self, folder: Path, megabytes: int) -> _Taken:
        """Make a running job and deliver its result from a process of its own."""
        job = await self._running_job()
        await _sender("prepare", str(folder), job, str(megabytes))
        before = resident_mib(self._gateway_pid)
        delivery = asyncio.ensure_future(
            _sender("deliver", str(folder), self._client.target.address, self._client.target.key or "")
        )
        peak = before
        while not delivery.done():
            peak = max(peak, resident_mib(self._gateway_pid))
            await SystemClock().sleep(_LOOK_SECONDS)
        told = json.loads((await delivery).splitlines()[-1])
        return _Taken(megabytes / float(told["seconds"]), float(told["growth_mib"]), peak - before)

    async def _running_job(self) -> str:
        """A custom job, claimed as the scheduler would."""
        job = await self._client.jobs.create(JobSpec(custom=CustomSpec(kind="bench")))

        def take(record: JobRecord) -> JobRecord:
            now = datetime.now(UTC)
            return claim(record, host=_HOST, mode=EXECUTION_MODE_HOST, fallback_reason="", now=now)

        async with connect(self._nats_url, "bench") as bus:
            await bus.records(JOBS, JobRecord).change(JobName.parse(job.name).job_id, take)
        return job.name


@asynccontextmanager
async def _gateway(folder: Path) -> AsyncGenerator[_Bench, None]:
    home = folder / "home"
    async with (
        running_nats(folder / "nats") as server,
        gateway(home, server) as (address, pid),
        HeadwayClient.connect(address, home=home) as client,
    ):
        yield _Bench(client, server.url, pid)


async def _sender(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.callback_sender", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the sender failed")
    return printed


def _seed_speed(port: int) -> float:
    values = np.random.default_rng(42)
    rows = MEGABYTES * 1_000_000 // 4 // NUM_TENSORS // 1000
    weights = {
        f"layer.{n}": torch.tensor(values.normal(0, 0.02, (rows, 1000)).astype(np.float32)) for n in range(NUM_TENSORS)
    }
    start = time.perf_counter()
    send(port, weights)
    return MEGABYTES / (time.perf_counter() - start)
