"""The default execution mode: start-up default, changes at run time, other gateways' changes."""

import asyncio

import pytest

from gateway.execution_config import ExecutionConfigs
from headway.contract.errors import EtagMismatch, InvalidArgument
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.system_service_pb2 import ExecutionConfig


@pytest.fixture
def configs(memory_bus: MemoryBus, clock: ManualClock) -> ExecutionConfigs:
    return ExecutionConfigs(memory_bus, EXECUTION_MODE_AUTO, clock)


async def test_the_start_up_default_counts_until_it_is_changed(configs: ExecutionConfigs) -> None:
    config = await configs.get()
    assert config.default_mode == configs.default_mode() == EXECUTION_MODE_AUTO
    assert not config.HasField("update_time")


async def test_a_change_answers_before_and_after_and_is_kept(
    configs: ExecutionConfigs, memory_bus: MemoryBus, clock: ManualClock
) -> None:
    previous, current = await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_HOST))
    assert (previous.default_mode, current.default_mode) == (EXECUTION_MODE_AUTO, EXECUTION_MODE_HOST)
    assert current.HasField("update_time")
    assert configs.default_mode() == EXECUTION_MODE_HOST
    restarted = ExecutionConfigs(memory_bus, EXECUTION_MODE_LOCAL, clock)
    await restarted.prime()
    assert restarted.default_mode() == EXECUTION_MODE_HOST
    assert await restarted.get() == current


async def test_another_gateways_change_is_heard_of(
    configs: ExecutionConfigs, memory_bus: MemoryBus, clock: ManualClock
) -> None:
    running = asyncio.ensure_future(configs.run())
    await ExecutionConfigs(memory_bus, EXECUTION_MODE_AUTO, clock).update(
        ExecutionConfig(default_mode=EXECUTION_MODE_LOCAL)
    )
    await eventually(lambda: configs.default_mode() == EXECUTION_MODE_LOCAL)
    running.cancel()


async def test_an_etag_guards_against_a_change_in_between(configs: ExecutionConfigs) -> None:
    first = await configs.get()
    _, current = await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_HOST, etag=first.etag))
    with pytest.raises(EtagMismatch):
        await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_LOCAL, etag=first.etag))
    assert await configs.get() == current
    await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_LOCAL, etag=current.etag))


async def test_of_many_changes_with_one_etag_one_wins(configs: ExecutionConfigs) -> None:
    etag = (await configs.get()).etag
    wanted = [ExecutionConfig(default_mode=EXECUTION_MODE_HOST, etag=etag) for _ in range(8)]
    outcomes = await asyncio.gather(*(configs.update(one) for one in wanted), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EtagMismatch) for outcome in outcomes) == 7


@pytest.mark.parametrize("mask", [[], ["default_mode"], ["*"]])
async def test_the_mode_can_be_changed_by_every_mask_that_names_it(configs: ExecutionConfigs, mask: list[str]) -> None:
    _, current = await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_HOST), mask)
    assert current.default_mode == EXECUTION_MODE_HOST


async def test_nothing_else_can_be_changed(configs: ExecutionConfigs) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await configs.update(ExecutionConfig(default_mode=EXECUTION_MODE_HOST), ["update_time"])
    assert caught.value.violations[0].field == "update_mask"
    with pytest.raises(InvalidArgument) as caught:
        await configs.update(ExecutionConfig())
    assert caught.value.violations[0].field == "config.default_mode"
