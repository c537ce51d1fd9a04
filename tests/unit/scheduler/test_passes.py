from headway.contract.ids import new_job_id
from headway.testing.builders import a_claimed_record, a_host, a_record
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_FAILED, FAILURE_CLASS_TRANSIENT, JOB_STATE_QUEUED, JOB_STATE_RUNNING
from scheduler.host_table import LiveHost, Word
from scheduler.passes import PassLoop
from scheduler.pulse import Pulse
from scheduler.snapshot import AttemptEnd
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage, running


class Scene:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.lost: list[LiveHost] = []
        self.pulse = Pulse(stage.view, stage.clock, lease_seconds=LEASE_SECONDS)
        self.passes = PassLoop(
            stage.view, stage.applier, stage.signals, self.pulse, stage.clock, on_host_lost=self.lost.append
        )

    async def run(self) -> None:
        await self.passes.run(self.stage.recovered)


async def a_scene() -> Scene:
    return Scene(await a_stage())


async def test_nothing_happens_before_recovery() -> None:
    """P18: not even a lease that seems to have ended long ago."""
    scene = await a_scene()
    stage = scene.stage
    job_id = await stage.store(a_claimed_record())
    async with running(scene.run, scene.pulse.run):
        await stage.clock.advance(10 * LEASE_SECONDS)
        assert (await stage.job(job_id)).attempt == 1

        stage.recovered.set()
        await stage.clock.advance(LEASE_SECONDS - 0.1)
        assert (await stage.job(job_id)).state == JOB_STATE_RUNNING, "a full lease from the recovery on"

        await stage.clock.advance(0.2)
        assert (await stage.job(job_id)).state == JOB_STATE_QUEUED


async def test_a_job_is_claimed_as_soon_as_it_is_seen() -> None:
    scene = await a_scene()
    stage = scene.stage
    stage.recovered.set()
    async with running(scene.run, scene.pulse.run):
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(0.0)
        job_id = await stage.store(a_record())
        await stage.clock.advance(0.0)

        assert (await stage.job(job_id)).host == "hosts/anton"


async def test_a_retry_starts_when_its_time_has_come() -> None:
    scene = await a_scene()
    stage = scene.stage
    stage.recovered.set()
    async with running(scene.run, scene.pulse.run):
        voice = stage.hear(Word(a_host(), {}, ()))
        job_id = await stage.store(a_record())
        await stage.clock.advance(0.0)
        end = AttemptEnd(job_id, 1, ATTEMPT_OUTCOME_FAILED, FAILURE_CLASS_TRANSIENT, "BROKEN", "it broke")
        stage.hear(Word(a_host(), {(job_id, 1): "name"}, (end,)), voice)
        await stage.clock.advance(0.9)
        assert (await stage.job(job_id)).state == JOB_STATE_QUEUED

        await stage.clock.advance(0.2)
        assert (await stage.job(job_id)).attempt == 2


async def test_a_store_that_was_away_is_asked_again() -> None:
    scene = await a_scene()
    stage = scene.stage
    stage.recovered.set()
    async with running(scene.run, scene.pulse.run):
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(0.0)
        stage.bus.go_away()
        record = a_record(job_id=new_job_id())
        stage.bus.come_back()
        job_id = await stage.store(record)
        stage.bus.go_away()
        await stage.clock.advance(1.0)
        stage.bus.come_back()
        await stage.clock.advance(1.0)

        assert (await stage.job(job_id)).attempt == 1


async def test_a_silent_host_is_lost_and_told_of() -> None:
    scene = await a_scene()
    stage = scene.stage
    stage.recovered.set()
    async with running(scene.run, scene.pulse.run):
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(LEASE_SECONDS - 0.1)
        assert scene.lost == []

        await stage.clock.advance(0.2)
        assert [host.host.name for host in scene.lost] == ["hosts/anton"]


async def test_an_idle_loop_has_nothing_to_wait_for() -> None:
    scene = await a_scene()

    assert await scene.passes.pass_once() == 60.0
