"""The chain of plug-in kinds."""

from gateway.validation.chain import run_chain
from gateway.validation.custom import STEPS
from headway.v1.job_specs_pb2 import CustomSpec, JobSpec
from tests.unit.gateway.builders import FakeWorld, a_draft, a_host


async def test_a_kind_that_a_host_knows_passes_without_a_warning() -> None:
    draft = a_draft(JobSpec(custom=CustomSpec(kind="toy")), kind="toy")
    await run_chain(STEPS, draft, FakeWorld(up=[a_host(kinds=frozenset({"toy"}))]))
    assert draft.warnings == []


async def test_a_kind_that_no_host_knows_waits_with_the_reason() -> None:
    draft = a_draft(JobSpec(custom=CustomSpec(kind="toy")), kind="toy")
    await run_chain(STEPS, draft, FakeWorld())
    assert len(draft.warnings) == 1
    assert "toy" in draft.warnings[0]
