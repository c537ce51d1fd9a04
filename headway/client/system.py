"""The platform itself: its default execution mode and its hosts."""

from dataclasses import dataclass

import grpc.aio

from headway.runtime.remote_error import answer
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import ExecutionMode
from headway.v1.system_service_pb2 import (
    EnrollHostRequest,
    EnrollHostResponse,
    ExecutionConfig,
    GetExecutionConfigRequest,
    ListHostsRequest,
    UpdateExecutionConfigRequest,
    UpdateExecutionConfigResponse,
)
from headway.v1.system_service_pb2_grpc import SystemServiceStub

_READ_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hosts:
    """Every trainer host, and the names of those that were not heard of within their lease."""

    hosts: tuple[Host, ...]
    unreachable: tuple[str, ...]


class System:
    """Reads and changes what holds for all projects."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SystemServiceStub(channel)

    async def execution_config(self) -> ExecutionConfig:
        """Where jobs run unless they say otherwise."""
        return await answer(self._stub.GetExecutionConfig(GetExecutionConfigRequest(), timeout=_READ_SECONDS))

    async def set_default_mode(self, mode: "ExecutionMode.ValueType") -> UpdateExecutionConfigResponse:
        """Change the default mode for jobs placed from now on; returns the configuration before and after."""
        request = UpdateExecutionConfigRequest(config=ExecutionConfig(default_mode=mode))
        return await answer(self._stub.UpdateExecutionConfig(request, timeout=_READ_SECONDS))

    async def hosts(self) -> Hosts:
        """Every trainer host, those lost of late included."""
        request = ListHostsRequest(page_size=1000)
        hosts: list[Host] = []
        unreachable: dict[str, None] = {}
        while True:
            page = await answer(self._stub.ListHosts(request, timeout=_READ_SECONDS))
            hosts.extend(page.hosts)
            unreachable.update(dict.fromkeys(page.unreachable))
            if not page.next_page_token:
                return Hosts(tuple(hosts), tuple(unreachable))
            request.page_token = page.next_page_token

    async def enroll_host(self, host_id: str) -> EnrollHostResponse:
        """Make the key with which one trainer host may join; it is told once."""
        return await answer(self._stub.EnrollHost(EnrollHostRequest(host_id=host_id), timeout=_READ_SECONDS))
