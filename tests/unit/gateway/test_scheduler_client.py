from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.scheduler_client import SCHEDULER_SERVICE, SchedulerClient
from headway.contract.errors import NotLeader
from headway.runtime.channel import ChannelOptions
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.leader_finder import leader_finder
from headway.runtime.remote_error import RemoteError
from headway.testing.ports import free_port
from headway.v1 import scheduler_service_pb2
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from tests.contract.fake_scheduler import FakeScheduler, open_server


class Explaining(FakeScheduler):
    def __init__(self, words: str, *, leads: bool = True) -> None:
        super().__init__()
        self.words = words
        self.leads = leads

    async def Explain(self, request: object, context: object) -> ExplainJobResponse:  # noqa: N802 - gRPC names it
        if not self.leads:
            raise NotLeader("another one leads")
        return ExplainJobResponse(summary=self.words)


@asynccontextmanager
async def serving(scheduler: Explaining) -> AsyncIterator[GrpcServer]:
    server = open_server()
    descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
    server.add(add_SchedulerServiceServicer_to_server, scheduler, descriptor)
    async with server:
        await server.set_serving(SCHEDULER_SERVICE, is_serving=scheduler.leads)
        yield server


@asynccontextmanager
async def client_of(*addresses: str) -> AsyncIterator[SchedulerClient]:
    async with leader_finder(addresses, SCHEDULER_SERVICE, api_key="k", options=ChannelOptions()) as schedulers:
        yield SchedulerClient(schedulers)


async def test_the_only_scheduler_is_asked() -> None:
    async with serving(Explaining("it waits")) as server, client_of(server.address) as client:
        assert (await client.explain("projects/p/jobs/j")).summary == "it waits"


async def test_a_scheduler_that_says_nothing_is_no_answer() -> None:
    async with serving(Explaining("")) as server, client_of(server.address) as client:
        with pytest.raises(RemoteError, match="says nothing"):
            await client.explain("projects/p/jobs/j")


async def test_the_one_that_leads_is_asked_and_its_successor_within_the_same_call() -> None:
    first, second = Explaining("first"), Explaining("second", leads=False)
    async with serving(first) as one, serving(second) as other, client_of(one.address, other.address) as client:
        assert (await client.explain("projects/p/jobs/j")).summary == "first"
        first.leads, second.leads = False, True
        await one.set_serving(SCHEDULER_SERVICE, is_serving=False)
        await other.set_serving(SCHEDULER_SERVICE, is_serving=True)
        assert (await client.explain("projects/p/jobs/j")).summary == "second"


async def test_none_that_can_be_reached_is_an_error_in_time() -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    async with client_of(*addresses) as client:
        with pytest.raises(RemoteError) as refused:
            await client.explain("projects/p/jobs/j")
        assert refused.value.is_retryable
