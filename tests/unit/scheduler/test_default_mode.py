from headway.contract.subjects import SETTINGS
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.system_service_pb2 import ExecutionConfig
from scheduler.default_mode import EXECUTION_KEY, DefaultModeFollower
from tests.unit.scheduler.stage import Stage, a_stage, running


async def a_follower() -> tuple[Stage, DefaultModeFollower]:
    stage = await a_stage()
    stage.view.set_default_mode(EXECUTION_MODE_LOCAL)
    return stage, DefaultModeFollower(stage.bus, stage.view, EXECUTION_MODE_LOCAL)


async def test_the_start_mode_stands_until_somebody_changes_it() -> None:
    stage, follower = await a_follower()
    records = stage.bus.records(SETTINGS, ExecutionConfig)
    async with running(follower.run):
        await follower.caught_up.wait()
        assert stage.view.default_mode == EXECUTION_MODE_LOCAL

        await records.put(EXECUTION_KEY, ExecutionConfig(default_mode=EXECUTION_MODE_HOST))
        await stage.clock.advance(0.0)
        assert stage.view.default_mode == EXECUTION_MODE_HOST

        await records.delete(EXECUTION_KEY)
        await stage.clock.advance(0.0)
        assert stage.view.default_mode == EXECUTION_MODE_LOCAL


async def test_a_mode_that_was_kept_wins_over_the_start_mode() -> None:
    stage, follower = await a_follower()
    await stage.bus.records(SETTINGS, ExecutionConfig).put(
        EXECUTION_KEY, ExecutionConfig(default_mode=EXECUTION_MODE_HOST)
    )
    async with running(follower.run):
        await follower.caught_up.wait()
        assert stage.view.default_mode == EXECUTION_MODE_HOST


async def test_garbage_and_other_settings_change_nothing() -> None:
    stage, follower = await a_follower()
    async with running(follower.run):
        await stage.bus.publish(f"{SETTINGS.prefix}{EXECUTION_KEY}", b"\xff\xff")
        await stage.bus.records(SETTINGS, ExecutionConfig).put(
            "another", ExecutionConfig(default_mode=EXECUTION_MODE_HOST)
        )
        await stage.clock.advance(0.0)

        assert stage.view.default_mode == EXECUTION_MODE_LOCAL
