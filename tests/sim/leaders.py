"""Schedulers that do nothing but lead: the keepers of the leader lease that run in production, moved step by step.

The large simulator lets two schedulers decide at a time, on purpose, for no promise may depend on the lease. Here is
looked at the lease itself: at no moment do two processes hold it, whatever is frozen, lost, late or repeated.
"""

from headway.v1.records_pb2 import LeaseRecord
from scheduler.leader_lease import Candidate
from scheduler.lease_keeper import LeaseKeeper
from tests.sim.choices import Choices, Seeded, one_of
from tests.sim.routine import Routine, SimulatedClock
from tests.sim.store import Link, SimulatedBus, SimulatedRecords, Table, Trouble

LEASE_SECONDS = 6.0
_WAITS = (0.1, 0.5, 1.0, 2.0, 3.0, 5.4, 6.0, 13.0)
_SLICE_SECONDS = 0.1
_TAKE_OVER_SECONDS = LEASE_SECONDS + 3.0


class Process:
    """One start of a scheduler, as far as leading goes."""

    def __init__(self, world: "Leaders", home: int) -> None:
        self.home = home
        self.is_frozen = False
        self.link = Link(f"home {home}")
        self._leases = world.leases
        me = Candidate(
            holder_id=f"home {home}",
            boot_id=f"boot {world.num_boots}",
            address=f"h{home}:1",
            lease_seconds=LEASE_SECONDS,
        )
        self.keeper = LeaseKeeper(SimulatedBus(world.clock), world.clock, me)
        self.keeper._records = SimulatedRecords(world.leases, self.link)
        self._place = 0
        self.read(1000)
        self.keeper._caught_up.set()
        self._taking: Routine[None] | None = Routine(self.keeper.take())
        self._reigning: list[Routine[None]] = []

    def read(self, at_most: int) -> None:
        """What the feed brings; history 1: only the newest of what was there at the start."""
        log = self._leases.log
        if self._place == 0 and log:
            self._place = len(log) - 1
        for message in log[self._place : self._place + at_most]:
            self._place += 1
            self.keeper.take_in(message)

    def step(self, choices: Choices | None = None) -> None:
        """One pause of one of its routines; all that can be done, without choices."""
        if self._taking is not None:
            _go_on(self._taking, whole=choices is None)
            if self._taking.is_over:
                self._taking = None
                self._reigning = [Routine(self.keeper.until_lost()), Routine(self.keeper.renew())]
            return
        chosen = self._reigning if choices is None else [self._reigning[choices.below(2)]]
        for routine in chosen:
            _go_on(routine, whole=choices is None)
        if self._reigning[0].is_over:
            self._reigning[1].kill()
            self._taking, self._reigning = Routine(self.keeper.take()), []

    def kill(self) -> None:
        for routine in (*self._reigning, *([self._taking] if self._taking else [])):
            routine.kill()


def _go_on(routine: Routine[None], *, whole: bool) -> None:
    if whole:
        routine.run()
    else:
        routine.step()
    if routine.error is not None:
        raise routine.error


class Leaders:
    """Two or three homes, a bucket, and time."""

    def __init__(self, num_homes: int) -> None:
        self.clock = SimulatedClock()
        self.leases = Table(LeaseRecord, self.clock)
        self.num_boots = 0
        self.reigns: dict[int, str] = {}
        self.processes: dict[int, Process] = {}
        self._num_checked = 0
        for home in range(num_homes):
            self.start(home)

    def start(self, home: int) -> None:
        """A new process on a home, where none lives: the lock on the folder sees to that."""
        if home in self.processes:
            self.processes.pop(home).kill()
        self.num_boots += 1
        self.processes[home] = Process(self, home)

    def holders(self) -> list[Process]:
        return [process for process in self.processes.values() if process.keeper.is_held()]

    def check(self) -> None:
        """After every step."""
        holders = [process.link.writer for process in self.holders()]
        assert len(holders) <= 1, f"two lead at a time: {holders}"
        for message in self.leases.log[self._num_checked :]:
            record = LeaseRecord.FromString(message.data)
            boot = self.reigns.setdefault(record.reign, record.boot_id)
            assert record.boot_id in ("", boot), f"two leaders in reign {record.reign}"
        self._num_checked = len(self.leases.log)

    def wait(self, seconds: float, *, is_running: bool) -> None:
        """Time passes; with nobody running, as on a machine that is held up, or with everybody."""
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            self.clock.seconds += _SLICE_SECONDS
            if is_running:
                self.run()
            self.check()

    def run(self) -> None:
        for process in self.processes.values():
            if not process.is_frozen:
                process.read(1000)
                process.step()
                self.check()

    def settle(self) -> None:
        """Once the faults stop, somebody leads within the lease and three seconds (issue 4), and goes on to."""
        for process in self.processes.values():
            process.is_frozen, process.link.trouble = False, Trouble.NONE
        self.wait(_TAKE_OVER_SECONDS, is_running=True)
        assert self.holders(), "nobody leads, and nothing is in the way"
        before = self.holders()
        self.wait(5 * LEASE_SECONDS, is_running=True)
        assert self.holders() == before, "who leads goes on to lead"


def act(world: Leaders, choices: Choices) -> None:
    """One step of a history."""
    process = one_of(choices, list(world.processes.values()))
    if process is None:
        world.start(0)
        return
    match choices.below(12):
        case 0 | 1 | 2 | 3 if not process.is_frozen:
            process.step(choices)
        case 4 if not process.is_frozen:
            process.read(1 + choices.below(2))
        case 5 | 6:
            world.run()
        case 7:
            process.is_frozen = not process.is_frozen
        case 8:
            process.link.trouble = (Trouble.REFUSED, Trouble.UNKNOWN)[choices.below(2)]
        case 9 if choices.below(3) == 0:
            world.start(process.home)
        case 10:
            world.clock.seconds += _WAITS[choices.below(len(_WAITS))] / 4
        case 11:
            world.wait(_WAITS[choices.below(len(_WAITS))], is_running=choices.below(2) == 0)


def play(seed: int, *, num_steps: int = 60) -> None:
    """One history; raises AssertionError with the seed when two lead at a time, or nobody in the end."""
    choices = Seeded(seed)
    world = Leaders(2 + choices.below(2))
    try:
        for _ in range(num_steps):
            act(world, choices)
            world.check()
        world.settle()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    finally:
        for process in world.processes.values():
            process.kill()
