"""The faults of a validation chain, each alone and in pairs, over the wire (RELIABILITY B2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from headway.contract.errors import Code
from headway.runtime.remote_error import answer
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_service_pb2 import ListJobsRequest
from tests.jobs_gateway import PARENT, Gateway, a_request, refused


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a submission, the step that answers for it, and the reason and code it gives."""

    step: str
    reason: str
    spoil: Callable[[JobSpec], None] = lambda _spec: None
    is_host_broken: bool = False
    code: Code = Code.INVALID_ARGUMENT


@dataclass(frozen=True)
class Faults:
    """The faults of one chain, in the order of its steps; one of them is of step `data_target`."""

    of: Sequence[Fault]
    new_spec: Callable[[], JobSpec]

    async def answer_alone(self, gateway: Gateway) -> None:
        """Each step answers for its own fault, with its code."""
        for fault in self.of:
            await self.set_host(gateway, is_broken=fault.is_host_broken)
            error = await refused(gateway.jobs.CreateJob(a_request(self._spoilt(fault))))
            assert (error.metadata.get("step"), error.reason, error.code) == (fault.step, fault.reason, fault.code)

    async def answer_in_pairs(self, gateway: Gateway) -> None:
        """With two faults the earlier step answers, for every pair; and nothing is queued."""
        for earlier, later in combinations(self.of, 2):
            await self.set_host(gateway, is_broken=earlier.is_host_broken or later.is_host_broken)
            error = await refused(gateway.jobs.CreateJob(a_request(self._spoilt(later, earlier))))
            told = (error.metadata.get("step"), error.reason)
            assert told == (earlier.step, earlier.reason), f"{earlier.step} should answer before {later.step}"
        assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 0

    async def set_host(self, gateway: Gateway, *, is_broken: bool) -> None:
        """Let the one host be able to import torch, or not; return when the gateway knows."""
        await gateway.add_host(torch="" if is_broken else "2.13.0")
        # Without data, for what passes that step is taken in as a dataset, also where nothing is to be queued.
        no_data = next(fault for fault in self.of if fault.step == "data_target")
        wanted = "RUNTIME_UNAVAILABLE" if is_broken else no_data.reason

        async def heard() -> bool:
            return (await refused(gateway.jobs.CreateJob(a_request(self._spoilt(no_data))))).reason == wanted

        await eventually(heard)

    def _spoilt(self, *faults: Fault) -> JobSpec:
        spec = self.new_spec()
        for fault in faults:
            fault.spoil(spec)
        return spec
