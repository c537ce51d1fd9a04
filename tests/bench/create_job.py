"""CreateJob, validated and durable, beside a bare handler that does one fsynced create on the same nats-server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from headway.client.client import HeadwayClient
from headway.contract.ids import new_job_id
from headway.runtime.clock import SystemClock
from headway.testing.nats import running_nats
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import CreateJobRequest
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from tests.bench.data import write_iris
from tests.bench.load import Call, Load, median, run_load
from tests.bench.processes import gateway, port_printer
from tests.bench.report import Row

_ROUNDS = 15
_SETTLE_SECONDS = 0.4
"""Between loads: what a server does behind its answers must not slow the other one down."""
_CALLS_ALONE = 100
_CALLS_TOGETHER = 480
_IN_FLIGHT = 32
_SHARE_BAR = 0.65
_P50_BAR_MS = 2.0


async def measure() -> list[Row]:
    """Both servers under the same load in turn, round by round; quotes medians over the rounds."""
    with TemporaryDirectory() as folder:
        async with _both(Path(folder)) as (ours, bare):
            await _round(ours, bare, is_ours_first=True)
            # By turns, so that a machine that grows slower or faster favors nobody.
            rounds = [await _round(ours, bare, is_ours_first=number % 2 == 0) for number in range(_ROUNDS)]
    alone = [(one.ours_alone.p50_ms, one.bare_alone.p50_ms) for one in rounds]
    together = [(one.ours_together.per_second, one.bare_together.per_second) for one in rounds]
    extra = median([ours - bare for ours, bare in alone])
    share = median([ours / bare for ours, bare in together])
    return [
        Row(
            "CreateJob, one at a time, p50",
            f"{median([ours for ours, _ in alone]):.2f} ms",
            f"bare fsynced create: {median([bare for _, bare in alone]):.2f} ms",
            f"+{extra:.2f} ms",
            f"at most +{_P50_BAR_MS:g} ms",
            extra <= _P50_BAR_MS,
        ),
        Row(
            f"CreateJob, {_IN_FLIGHT} in flight",
            f"{median([ours for ours, _ in together]):.0f}/s",
            f"bare fsynced create: {median([bare for _, bare in together]):.0f}/s",
            f"{share:.2f}",
            f"at least {_SHARE_BAR:g}",
            share >= _SHARE_BAR,
        ),
    ]


class _Round:
    """The four loads of one round."""

    def __init__(self, alone: tuple[Load, Load], together: tuple[Load, Load]) -> None:
        self.ours_alone, self.bare_alone = alone
        self.ours_together, self.bare_together = together


async def _round(ours: Call, bare: Call, *, is_ours_first: bool) -> _Round:
    alone = await _by_turns(ours, bare, is_ours_first=is_ours_first, num_calls=_CALLS_ALONE, in_flight=1)
    together = await _by_turns(ours, bare, is_ours_first=is_ours_first, num_calls=_CALLS_TOGETHER, in_flight=_IN_FLIGHT)
    return _Round(alone, together)


async def _by_turns(
    ours: Call, bare: Call, *, is_ours_first: bool, num_calls: int, in_flight: int
) -> tuple[Load, Load]:
    """The load of ours and of the bare handler, in this order, whichever went first."""
    loads = []
    for call in (ours, bare) if is_ours_first else (bare, ours):
        await SystemClock().sleep(_SETTLE_SECONDS)
        loads.append(await run_load(call, num_calls=num_calls, in_flight=in_flight))
    first, second = loads
    return (first, second) if is_ours_first else (second, first)


@asynccontextmanager
async def _both(folder: Path) -> AsyncGenerator[tuple[Call, Call], None]:
    """A call of CreateJob and a call of the bare handler, each on a server process of its own."""
    home = folder / "home"
    async with (
        running_nats(folder / "nats") as server,
        gateway(home, server) as (address, _),
        port_printer("-m", "tests.bench.bare_server", server.url) as port,
        HeadwayClient.connect(address, home=home) as client,
        grpc.aio.insecure_channel(address) as ours,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as bare,
    ):
        await client.datasets.upload(write_iris(folder), dataset_id="iris")
        yield _create_job(ours, client.target.key or ""), _bare_create(bare)


def _spec() -> JobSpec:
    return JobSpec(
        display_name="bench", tabular_train=TabularTrainSpec(dataset="iris", target_column="target", epochs=50)
    )


def _create_job(channel: grpc.aio.Channel, key: str) -> Call:
    stub = JobServiceStub(channel)
    # The plainest client for both, so that the servers are compared and not what is around the stubs.
    metadata = (("x-api-key", key),)

    async def call(_: int) -> None:
        request = CreateJobRequest(parent="projects/default", job=Job(spec=_spec()))
        await stub.CreateJob(request, timeout=30, metadata=metadata)

    return call


def _bare_create(channel: grpc.aio.Channel) -> Call:
    bare = channel.unary_unary(
        "/headway.bench.Bare/CreateJob",
        request_serializer=CreateJobRequest.SerializeToString,
        response_deserializer=Job.FromString,
    )

    async def call(_: int) -> None:
        request = CreateJobRequest(parent="projects/default", job=Job(spec=_spec()), request_id=new_job_id())
        await bare(request, timeout=30)

    return call
