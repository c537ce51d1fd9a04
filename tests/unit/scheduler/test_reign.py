from headway.testing.eventually import eventually
from tests.unit.scheduler.stage import running
from tests.unit.scheduler.test_leadership import a_process


async def test_recovery_is_over_when_everything_warm_has_caught_up_and_the_hosts_are_recalled() -> None:
    """P18."""
    process = await a_process()
    reign = process.new_reign()
    async with running(*reign.loops):
        await process.stage.clock.advance(1.0)
        assert not reign.recovered.is_set(), "the jobs are not followed yet"
        async with running(process.jobs.run):
            await eventually(reign.recovered.is_set)
            assert not reign.is_over


async def test_whoever_waits_for_recovery_is_let_go_when_the_reign_ends_before() -> None:
    process = await a_process()
    reign = process.new_reign()
    reign.end()
    assert reign.recovered.is_set()
    assert reign.is_over
