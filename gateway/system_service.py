"""SystemService on the wire."""

from gateway.enrolment import Enrolment
from gateway.execution_config import ExecutionConfigs
from gateway.hosts_view import HostsView
from headway.runtime.principal import current_principal
from headway.v1 import system_service_pb2 as messages
from headway.v1.system_service_pb2_grpc import SystemServiceServicer


class SystemService(SystemServiceServicer):
    """The platform itself."""

    def __init__(self, execution: ExecutionConfigs, hosts: HostsView, enrolment: Enrolment) -> None:
        self._execution = execution
        self._hosts = hosts
        self._enrolment = enrolment

    async def GetExecutionConfig(  # noqa: N802 - gRPC's name
        self, _request: messages.GetExecutionConfigRequest, _context: object
    ) -> messages.ExecutionConfig:
        """Read the default execution mode."""
        return await self._execution.get()

    async def UpdateExecutionConfig(  # noqa: N802
        self, request: messages.UpdateExecutionConfigRequest, _context: object
    ) -> messages.UpdateExecutionConfigResponse:
        """Change the default execution mode."""
        previous, current = await self._execution.update(request.config, request.update_mask.paths)
        return messages.UpdateExecutionConfigResponse(previous=previous, current=current)

    async def ListHosts(  # noqa: N802
        self, request: messages.ListHostsRequest, _context: object
    ) -> messages.ListHostsResponse:
        """List trainer hosts."""
        return self._hosts.list_hosts(request.page_size, request.page_token)

    async def EnrollHost(  # noqa: N802
        self, request: messages.EnrollHostRequest, _context: object
    ) -> messages.EnrollHostResponse:
        """Make a key for a host."""
        enrolled = await self._enrolment.enroll(request.host_id, current_principal().user_id)
        return messages.EnrollHostResponse(
            key=enrolled.key,
            gateway_address=enrolled.gateway_address,
            scheduler_address=enrolled.scheduler_address,
        )
