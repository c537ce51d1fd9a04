import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from headway.contract.errors import Code
from headway.runtime.channel import ChannelOptions
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.leader_finder import LeaderFinder, leader_finder
from headway.runtime.remote_error import RemoteError
from headway.testing.ports import free_port
from headway.v1 import scheduler_service_pb2
from headway.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from tests.contract.fake_scheduler import FakeScheduler, open_server

SERVICE = "headway.v1.SchedulerService"


@asynccontextmanager
async def schedulers(*are_leading: bool) -> AsyncIterator[list[GrpcServer]]:
    async with AsyncExitStack() as stack:
        servers = []
        for is_leading in are_leading:
            server = open_server()
            descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
            server.add(add_SchedulerServiceServicer_to_server, FakeScheduler(), descriptor)
            await stack.enter_async_context(server)
            await server.set_serving(SERVICE, is_serving=is_leading)
            servers.append(server)
        yield servers


@asynccontextmanager
async def finding(*addresses: str) -> AsyncIterator[LeaderFinder]:
    async with leader_finder(addresses, SERVICE, api_key=None, options=ChannelOptions()) as finder:
        yield finder


async def found_by(finder: LeaderFinder) -> str:
    channel = await finder.channel()
    return next(address for address, one in finder._channels.items() if one is channel)


async def test_the_only_address_is_taken_without_a_question() -> None:
    async with finding(f"127.0.0.1:{free_port()}") as finder:
        assert finder.is_alone
        channel = await finder.channel()
        finder.forget()
        assert await finder.channel() is channel


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_the_one_that_serves_is_found_wherever_it_stands(place: int) -> None:
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(schedulers(*(number == place for number in range(3))))
        finder = await stack.enter_async_context(finding(*(server.address for server in servers)))
        assert await found_by(finder) == servers[place].address


async def test_one_that_is_dead_and_one_that_never_answers_cost_no_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with schedulers(True) as (leader,):
            addresses = (f"127.0.0.1:{mute.getsockname()[1]}", f"127.0.0.1:{free_port()}", leader.address)
            async with finding(*addresses) as finder, asyncio.timeout(5):
                began = asyncio.get_running_loop().time()
                assert await found_by(finder) == leader.address
                assert asyncio.get_running_loop().time() - began < 0.9


async def test_another_one_is_found_when_the_first_leads_no_longer() -> None:
    async with schedulers(True, False) as (first, second), finding(first.address, second.address) as finder:
        assert await found_by(finder) == first.address
        await first.set_serving(SERVICE, is_serving=False)
        await second.set_serving(SERVICE, is_serving=True)
        assert await found_by(finder) == first.address, "what was found is trusted until a call fails"
        finder.forget()
        assert await found_by(finder) == second.address


async def test_when_none_serves_the_caller_is_told_to_try_again() -> None:
    async with schedulers(False, False) as (first, second), finding(first.address, second.address) as finder:
        with pytest.raises(RemoteError) as refused:
            await finder.channel()
        assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "NOT_LEADER")
        assert refused.value.is_retryable
        await second.set_serving(SERVICE, is_serving=True)
        assert await found_by(finder) == second.address
