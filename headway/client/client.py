"""The client: one channel to a gateway, and what can be done through it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import grpc.aio

from headway.client.bundles import Bundles
from headway.client.datasets import Datasets
from headway.client.jobs import Jobs
from headway.client.locate import DEFAULT_PROJECT, Target, locate, named_file
from headway.client.models import Models
from headway.client.system import System
from headway.runtime.channel import ChannelOptions, Repeatable, open_channel
from headway.runtime.clock import Clock, SystemClock

# What may be asked again by itself when the gateway is away for a moment. CreateJob is not among them: without a
# request_id a second call is a second job.
_REPEATABLE = (
    Repeatable(
        "headway.v1.JobService",
        ("GetJob", "ListJobs", "CancelJob", "PauseJob", "ResumeJob", "SetJobPriority", "ExplainJob"),
    ),
    Repeatable("headway.v1.DatasetService"),
    Repeatable("headway.v1.ModelService", ("GetModel", "GetModelVersion", "ListModels")),
    Repeatable("headway.v1.BlobService", ("FindMissingBlobs", "QueryUpload")),
    Repeatable("headway.v1.SystemService", ("GetExecutionConfig", "ListHosts")),
)


class HeadwayClient:
    """What a caller can do with a gateway.

    Every method raises `RemoteError` for what the gateway refuses, with its reason, violations and request id, and
    `HeadwayError` for a name that cannot be one.

    Example:
        ```python
        async with HeadwayClient.connect() as client:
            job = await client.jobs.create(spec)
            async for message in client.jobs.watch(job.name):
                print(message)
        ```

    Attributes:
        target: what it is connected to.
        channel: the channel, for calls that this class has no method for.
        project: the project whose jobs, datasets and models are meant by bare ids.
        jobs: submit, read, steer, watch.
        datasets: take files in, look inside.
        models: read them, pull a version.
        bundles: read single files of what a job made.
        system: the default execution mode and the hosts.
    """

    def __init__(self, channel: grpc.aio.Channel, target: Target, project: str, clock: Clock) -> None:
        self.target = target
        self.channel = channel
        self.project = project
        self.jobs = Jobs(channel, project, clock)
        self.datasets = Datasets(channel, project, clock)
        self.models = Models(channel, project, clock)
        self.bundles = Bundles(channel, project, clock)
        self.system = System(channel)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        address: str | None = None,
        key: str | None = None,
        *,
        project: str = DEFAULT_PROJECT,
        home: Path | None = None,
        ca_file: Path | None = None,
        clock: Clock | None = None,
    ) -> AsyncGenerator[Self, None]:
        """Open a channel; closed when left. Nothing is sent before the first call.

        Args:
            address: host:port; None finds the gateway as `headway.client.locate` says.
            key: None finds the key likewise.
            project: the project that bare ids belong to.
            home: None means `HEADWAY_HOME` or `~/.headway`.
            ca_file: PEM certificate authority of the gateway; with it the channel speaks TLS. None means
                `HEADWAY_CA_FILE`, and without that no TLS.
            clock: None means the machine's.
        """
        target = locate(address, key, home)
        options = ChannelOptions(ca_file=ca_file or named_file("HEADWAY_CA_FILE"))
        async with open_channel(target.address, api_key=target.key, repeatable=_REPEATABLE, options=options) as channel:
            yield cls(channel, target, project, clock or SystemClock())
