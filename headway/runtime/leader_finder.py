"""Finds which of several addresses serves at this moment: of schedulers only the leader does, and the others stand by.

All are asked at once by the standard health check, which costs nothing and needs no key, and the first to say SERVING
is it. So a standby costs no time, nor does one that is dead, frozen or cut off, wherever it stands in the list.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from headway.contract.errors import Code, NotLeader
from headway.runtime.channel import ChannelOptions, open_channel
from headway.runtime.remote_error import RemoteError

_CHECK_SECONDS = 1.0
_RECONNECT_SECONDS = 0.5


class LeaderFinder:
    """The addresses of one service, and which of them serves."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], service: str) -> None:
        """Ask nobody yet.

        Args:
            channels: by address.
            service: its full name, which the health check knows.
        """
        self._channels = dict(channels)
        self._service = service
        self._found: str | None = None if len(channels) > 1 else next(iter(channels))

    @property
    def is_alone(self) -> bool:
        """Whether there is but one address: it is dialled without a question."""
        return len(self._channels) == 1

    async def channel(self) -> grpc.aio.Channel:
        """To the one that serves, as far as is known.

        Raises:
            RemoteError: none of them serves now.
        """
        if self._found is None:
            self._found = await self._find()
        return self._channels[self._found]

    def forget(self) -> None:
        """A call has failed, or has ended: look anew before the next."""
        if not self.is_alone:
            self._found = None

    async def _find(self) -> str:
        async with asyncio.TaskGroup() as group:
            checks = {group.create_task(self._is_serving(address)): address for address in self._channels}
            waiting = set(checks)
            while waiting:
                answered, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                found = next((checks[check] for check in answered if check.result()), None)
                if found is not None:
                    for check in waiting:
                        check.cancel()
                    return found
        message = f"none of {', '.join(self._channels)} leads at this moment; one will, unless all are down"
        raise RemoteError(Code.UNAVAILABLE, NotLeader.reason, message)

    async def _is_serving(self, address: str) -> bool:
        check = self._channels[address].unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(service=self._service), timeout=_CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)


@asynccontextmanager
async def leader_finder(
    addresses: Sequence[str], service: str, *, api_key: str | None, options: ChannelOptions
) -> AsyncIterator[LeaderFinder]:
    """A finder with a channel to each address, for the length of the block.

    Args:
        addresses: `host:port` each.
        service: its full name, such as `headway.v1.SchedulerService`.
        api_key: sent with every call.
        options: of the channels.
    """
    if len(addresses) > 1:
        # One that was down may be the next leader.
        options = replace(options, reconnect_max_seconds=_RECONNECT_SECONDS)
    async with AsyncExitStack() as stack:
        channels = {
            address: await stack.enter_async_context(open_channel(address, api_key=api_key, options=options))
            for address in addresses
        }
        yield LeaderFinder(channels, service)
