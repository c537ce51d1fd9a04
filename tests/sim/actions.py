"""What can happen in a history, and how often. Which of it may happen at all is drawn anew for each history.

Every choice is a number below a limit, so that a seed or a list of numbers, as of Hypothesis, can make it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from headway.v1.jobs_pb2 import FAILURE_CLASS_FATAL, FAILURE_CLASS_TRANSIENT, FAILURE_CLASS_USER_INPUT
from scheduler.snapshot import AttemptKey
from tests.sim.choices import Choices, one_of
from tests.sim.host import SimulatedHost, Stream
from tests.sim.scheduler_process import SchedulerProcess
from tests.sim.setting import SPECS
from tests.sim.store import Trouble
from tests.sim.world import World

_CLASSES = (FAILURE_CLASS_TRANSIENT, FAILURE_CLASS_TRANSIENT, FAILURE_CLASS_USER_INPUT, FAILURE_CLASS_FATAL)
EVENTS_EVERY = 16
"""One history in so many makes events, which cost as much as all the rest."""
_WAITS = (0.5, 2.0, 4.0, 8.0, 14.0, 16.0, 31.0, 130.0)


@dataclass(frozen=True)
class Action:
    """One sort of step.

    Attributes:
        name: for the trace.
        act: does it; nothing when it makes no sense now.
        weight: how often, against the others.
        is_fault: whether histories without it are drawn, too.
    """

    name: str
    act: Callable[[World, Choices], None]
    weight: int = 1
    is_fault: bool = False

    def __repr__(self) -> str:
        return self.name


def _job(world: World, choices: Choices) -> str | None:
    return one_of(choices, tuple(world.jobs.rows))


def _host(world: World, choices: Choices) -> SimulatedHost | None:
    return one_of(choices, world.hosts)


def _busy(world: World, choices: Choices) -> tuple[SimulatedHost, AttemptKey] | None:
    return one_of(choices, [(host, key) for host in world.hosts if host.is_acting for key in host.training()])


def _waiting(world: World, choices: Choices) -> tuple[SimulatedHost, AttemptKey] | None:
    """A result that somebody still has, its host stale or not."""
    return one_of(choices, [(host, key) for host in world.hosts if host.is_acting for key in host.outbox])


def _stream(world: World, choices: Choices) -> Stream | None:
    return one_of(choices, world.streams)


def _scheduler(world: World, choices: Choices) -> SchedulerProcess | None:
    return one_of(choices, world.all_schedulers())


def submit(world: World, choices: Choices) -> None:
    if len(world.jobs.rows) < 5:
        world.submit(SPECS[choices.below(len(SPECS))])


def wish(verb: str) -> Callable[[World, Choices], None]:
    def act(world: World, choices: Choices) -> None:
        job_id = _job(world, choices)
        if job_id is not None:
            world.wish(verb, job_id)

    return act


def prioritise(world: World, choices: Choices) -> None:
    job_id = _job(world, choices)
    if job_id is not None:
        world.prioritise(job_id, choices.below(5) - 2)


def join(world: World, choices: Choices) -> None:
    if len(world.hosts) < 3:
        world.add_host(1 + choices.below(2))


def beat(world: World, choices: Choices) -> None:
    """A host speaks and is answered, as it mostly is."""
    host = _host(world, choices)
    if host is not None:
        talk_to(world, host)


def talk_to(world: World, host: SimulatedHost) -> None:
    """The host speaks, is heard and answered, as far as it can."""
    world.speak(host)
    stream = host.stream
    if stream is None:
        return
    while stream.up and not (stream.scheduler.is_frozen or host.is_cut_off or stream.is_left):
        world.carry_up(stream)
    while stream.down and host.is_acting and not host.is_cut_off and not stream.is_left:
        world.carry_down(stream)


def a_round(world: World, choices: Choices) -> None:
    """What a quiet second brings: calls end, the scheduler passes, every host is told and obeys."""
    world.gateway.run()
    schedule(world, choices)
    for scheduler in world.all_schedulers():
        world.publish(scheduler, 1 + choices.below(4))
    for host in world.hosts:
        talk_to(world, host)


def speak(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None:
        world.speak(host)


def carry_up(world: World, choices: Choices) -> None:
    stream = _stream(world, choices)
    if stream is not None:
        world.carry_up(stream)


def carry_down(world: World, choices: Choices) -> None:
    stream = _stream(world, choices)
    if stream is not None:
        world.carry_down(stream)


def tell(world: World, choices: Choices) -> None:
    stream = _stream(world, choices)
    if stream is not None:
        world.answer(stream)


def finish(world: World, choices: Choices) -> None:
    busy = _busy(world, choices)
    if busy is not None:
        world.finish(*busy, score=(1.0, 1.0, 1.0, 0.0)[choices.below(4)])


def fail(world: World, choices: Choices) -> None:
    busy = _busy(world, choices)
    if busy is not None:
        world.fail(*busy, _CLASSES[choices.below(4)])


def checkpoint(world: World, choices: Choices) -> None:
    busy = _busy(world, choices)
    if busy is not None:
        world.checkpoint(*busy)


def checkpoint_often(world: World, choices: Choices) -> None:
    """More than a history keeps, all in time."""
    for _ in range(4 + choices.below(10)):
        checkpoint(world, choices)
        world.gateway.run()


def deliver(world: World, choices: Choices) -> None:
    waiting = _waiting(world, choices)
    if waiting is not None:
        world.deliver(*waiting)


def deliver_at_once(world: World, choices: Choices) -> None:
    deliver(world, choices)
    world.gateway.run()


def deliver_another(world: World, choices: Choices) -> None:
    waiting = _waiting(world, choices)
    if waiting is not None:
        world.num_digests += 1
        world.deliver(*waiting, digest=f"sha256:{world.num_digests:064x}")


def serve(world: World, choices: Choices) -> None:
    world.gateway.run()


def serve_a_little(world: World, choices: Choices) -> None:
    if world.gateway.num_calls:
        world.gateway.step(choices.below(world.gateway.num_calls))


def restart_gateway(world: World, choices: Choices) -> None:
    world.start_gateway()


def repair(world: World, choices: Choices) -> None:
    world.repair()


def schedule(world: World, choices: Choices) -> None:
    """The scheduler reads all there is and passes until it rests."""
    scheduler = world.scheduler
    if scheduler is not None and not scheduler.is_frozen:
        scheduler.follow(1000)
        scheduler.run()


def write_hosts(world: World, choices: Choices) -> None:
    """What schedulers that are started later know of the hosts."""
    scheduler = world.scheduler
    if scheduler is not None and not scheduler.is_frozen:
        scheduler.write_hosts()


def schedule_a_little(world: World, choices: Choices) -> None:
    scheduler = _scheduler(world, choices)
    if scheduler is not None and not scheduler.is_frozen:
        scheduler.step()


def follow_a_little(world: World, choices: Choices) -> None:
    scheduler = _scheduler(world, choices)
    if scheduler is not None and not scheduler.is_frozen:
        scheduler.follow(1 + choices.below(2))


def publish(world: World, choices: Choices) -> None:
    if world.scheduler is not None:
        world.publish(world.scheduler, 100)


def publish_a_little(world: World, choices: Choices) -> None:
    scheduler = _scheduler(world, choices)
    if scheduler is not None:
        world.publish(scheduler, 1 + choices.below(3))


def restart_scheduler(world: World, choices: Choices) -> None:
    if world.scheduler is not None:
        world.kill_scheduler(world.scheduler)
    world.start_scheduler()


def recover_slowly(world: World, choices: Choices) -> None:
    """A new scheduler that reads the bucket for so long that leases would run out meanwhile."""
    restart_scheduler(world, choices)
    if world.scheduler is not None:
        world.scheduler.follow(choices.below(3))
        world.wait(_WAITS[choices.below(len(_WAITS))])


def kill_scheduler(world: World, choices: Choices) -> None:
    if world.scheduler is not None:
        world.kill_scheduler(world.scheduler)


def freeze_scheduler(world: World, choices: Choices) -> None:
    scheduler = _scheduler(world, choices)
    if scheduler is not None:
        scheduler.is_frozen = not scheduler.is_frozen


def change_scheduler(world: World, choices: Choices) -> None:
    """Another one takes over while the one before is stopped; later that one is found out, or goes on for a while."""
    if world.zombies:
        world.kill_scheduler(world.zombies[0])
    else:
        if world.scheduler is not None:
            world.scheduler.is_frozen = choices.below(3) > 0
        world.take_over()


def kill_host(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None:
        host.die()


def restart_host(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None:
        world.restart_host(host, with_disk=choices.below(3) > 0)


def freeze_host(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None and host.is_up:
        host.is_frozen = not host.is_frozen


def cut_off_host(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None:
        host.is_cut_off = not host.is_cut_off


def drain_host(world: World, choices: Choices) -> None:
    host = _host(world, choices)
    if host is not None:
        host.drain()


def leave_stream(world: World, choices: Choices) -> None:
    """The host calls anew; what it said on the old stream is still on its way."""
    host = _host(world, choices)
    if host is not None:
        host.leave_stream()


def end_stream(world: World, choices: Choices) -> None:
    stream = _stream(world, choices)
    if stream is not None and not stream.scheduler.is_frozen:
        world.end_stream(stream)


def trouble(world: World, choices: Choices) -> None:
    scheduler = _scheduler(world, choices)
    links = [world.gateway.link] + ([scheduler.link] if scheduler is not None else [])
    links[choices.below(len(links))].trouble = (Trouble.REFUSED, Trouble.UNKNOWN)[choices.below(2)]


def wait(world: World, choices: Choices) -> None:
    world.wait(_WAITS[choices.below(len(_WAITS))])


def wait_a_little(world: World, choices: Choices) -> None:
    world.wait(1.0)


def jump(world: World, choices: Choices) -> None:
    world.jump((-1, 1)[choices.below(2)])


ACTIONS = (
    Action("submit", submit, 5),
    Action("join", join, 1),
    Action("a quiet round", a_round, 12),
    Action("beat", beat, 8),
    Action("schedule", schedule, 6),
    Action("finish", finish, 6),
    Action("deliver at once", deliver_at_once, 5),
    Action("serve", serve, 4),
    Action("write down the hosts", write_hosts, 3),
    Action("wait a little", wait_a_little, 4),
    Action("cancel", wish("cancel"), 3, is_fault=True),
    Action("pause", wish("pause"), 3, is_fault=True),
    Action("resume", wish("resume"), 3, is_fault=True),
    Action("prioritise", prioritise, 3, is_fault=True),
    Action("fail", fail, 5, is_fault=True),
    Action("checkpoint", checkpoint, 2, is_fault=True),
    Action("checkpoint often", checkpoint_often, 1, is_fault=True),
    Action("speak", speak, 5, is_fault=True),
    Action("carry up", carry_up, 5, is_fault=True),
    Action("carry down", carry_down, 5, is_fault=True),
    Action("tell", tell, 3, is_fault=True),
    Action("deliver", deliver, 5, is_fault=True),
    Action("deliver another", deliver_another, 2, is_fault=True),
    Action("serve a little", serve_a_little, 6, is_fault=True),
    Action("restart the gateway", restart_gateway, 2, is_fault=True),
    Action("repair", repair, 2, is_fault=True),
    Action("schedule a little", schedule_a_little, 6, is_fault=True),
    Action("follow a little", follow_a_little, 4, is_fault=True),
    Action("publish", publish, 2, is_fault=True),
    Action("publish a little", publish_a_little, 4, is_fault=True),
    Action("restart the scheduler", restart_scheduler, 2, is_fault=True),
    Action("recover slowly", recover_slowly, 1, is_fault=True),
    Action("kill the scheduler", kill_scheduler, 1, is_fault=True),
    Action("freeze or thaw a scheduler", freeze_scheduler, 2, is_fault=True),
    Action("change the scheduler", change_scheduler, 2, is_fault=True),
    Action("kill a host", kill_host, 2, is_fault=True),
    Action("restart a host", restart_host, 3, is_fault=True),
    Action("freeze or thaw a host", freeze_host, 3, is_fault=True),
    Action("cut off a host, or let it back", cut_off_host, 3, is_fault=True),
    Action("drain a host", drain_host, 1, is_fault=True),
    Action("leave a stream", leave_stream, 3, is_fault=True),
    Action("end a stream", end_stream, 2, is_fault=True),
    Action("trouble with the store", trouble, 3, is_fault=True),
    Action("wait", wait, 5, is_fault=True),
    Action("jump of the wall clock", jump, 1, is_fault=True),
)


_OF_EVENTS = [action for action in ACTIONS if action.name.startswith("publish")]


def repertoire(world: World, choices: Choices) -> list[Action]:
    """The actions of one history, each as often as its weight: some faults are left out, so that others have room."""
    world.publishes = choices.below(EVENTS_EVERY) == 0
    world.has_leases = choices.below(2) == 0
    share = 1 + choices.below(4)
    return [
        action for action in ACTIONS if not action.is_fault or choices.below(4) < share for _ in range(action.weight)
    ]
