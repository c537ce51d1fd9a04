"""What the validation of a submission may look at, put together from those who keep it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.execution_config import ExecutionConfigs
from gateway.hosts_view import HostsView
from gateway.validation.chain import Tables, Teachers
from headway.contract.host_facts import HostFacts
from headway.v1.job_specs_pb2 import ExecutionMode


@dataclass(frozen=True, slots=True)
class SubmissionWorld:
    """Implements `gateway.validation.chain.World`."""

    tables: Tables
    teachers: Teachers
    hosts_view: HostsView
    execution: ExecutionConfigs

    def hosts(self) -> Sequence[HostFacts]:
        """The live trainer hosts."""
        return self.hosts_view.live()

    def default_mode(self) -> "ExecutionMode.ValueType":
        """The platform's execution mode."""
        return self.execution.default_mode()
