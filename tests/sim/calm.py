"""What must follow a history once its faults stop and one host stays up."""

from headway.contract.states import is_terminal
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, JOB_STATE_PAUSING
from tests.sim.host import SimulatedHost
from tests.sim.invariants import check_models
from tests.sim.scheduler_process import LEASE
from tests.sim.store import Trouble
from tests.sim.world import World

SECONDS_MAX = 400.0
"""Virtual time in which every job must end: some leases, and the waits between tries."""


def settle(world: World) -> None:
    """Faults stop and one host stays up: every job ends within a bounded time (P6, P13)."""
    world.say("--- faults stop")
    _heal(world)
    host = world.hosts[0]
    end = world.clock.seconds + SECONDS_MAX
    while not all(is_terminal(record.job.state) for record in world.jobs.values.values()):
        _calm_round(world, host)
        world.wait(LEASE / 5)
        world.check()
        assert world.clock.seconds < end, f"a job is stuck: {_stuck(world)}"
    world.gateway.run()
    for _ in world.jobs.rows:
        world.repair()
        world.gateway.run()
    check_models(world.jobs.values, world.models.values, is_settled=True)
    if world.publishes and world.scheduler is not None:
        while not world.event_feed.is_done():
            world.event_feed.work(world.scheduler, 100)
        world.event_feed.check(is_settled=True)


def _heal(world: World) -> None:
    for zombie in tuple(world.zombies):
        world.kill_scheduler(zombie)
    if world.scheduler is None:
        world.start_scheduler()
    assert world.scheduler is not None
    world.scheduler.is_frozen = False
    world.scheduler.link.trouble = world.gateway.link.trouble = Trouble.NONE
    world.gateway.run()
    if not world.hosts:
        world.add_host(2)
    for other in world.hosts[1:]:
        other.die()
    host = world.hosts[0]
    if host.is_draining or not host.is_up:
        host.is_draining = False
        world.restart_host(host, with_disk=True)
    host.is_frozen = host.is_cut_off = False
    for stream in tuple(world.streams):
        if stream.is_left:
            world.end_stream(stream)


def _calm_round(world: World, host: SimulatedHost) -> None:
    assert world.scheduler is not None
    for job_id, record in world.jobs.values.items():
        if record.job.state in (JOB_STATE_PAUSED, JOB_STATE_PAUSING):
            world.wish("resume", job_id)
    for key in host.training():
        world.finish(host, key, 1.0)
    for key in [key for key in host.outbox if key not in host.delivering]:
        world.deliver(host, key)
    world.gateway.run()
    world.scheduler.follow(1000)
    world.scheduler.run()
    world.speak(host)
    for stream in tuple(world.streams):
        while stream.up:
            world.carry_up(stream)
        while stream.down and not stream.is_left:
            world.carry_down(stream)


def _stuck(world: World) -> str:
    return str(next(one.job for one in world.jobs.values.values() if not is_terminal(one.job.state)))
