"""Fifty busy runs: few edits, bounded memory. The whole way from the stream to Discord's door, in virtual time."""

import gc
import tracemalloc
from collections import defaultdict
from itertools import pairwise

from headway.contract.ids import JobName
from headway.contract.subjects import BUCKETS, NOTIFIER, STREAMS
from headway.runtime.redaction import Redactor
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import DiscordRecord, JobRecord, WatchesRecord
from notifier.discord.answers import Desk
from notifier.discord.card import Card
from notifier.discord.hearing import Hearing
from notifier.discord.live_board import LiveBoard, Places
from notifier.discord.live_embeds import LiveRules, LiveRuns
from notifier.discord.live_store import LiveStore
from notifier.discord.progress_events import decode_progress
from notifier.discord.run_names import RunNames
from notifier.discord.run_view import RunProgress
from notifier.watch_store import WatchStore
from tests.contract.discord_life import ScriptedGateway, progress
from tests.unit.notifier.doubles import a_running_job

NUM_RUNS = 50
MINUTES = 10
REPORTS_A_SECOND = 10
EDIT_SECONDS = 15.0


class NotedDm:
    """Direct messages whose times are written down."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.made: dict[str, float] = {}
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    async def send(self, card: Card, *, nonce: str, is_silent: bool = False) -> str:
        assert card.embeds
        assert is_silent
        self.made[nonce] = self._clock.monotonic()
        self.times[nonce].append(self._clock.monotonic())
        return nonce

    async def edit(self, message_id: str, card: Card) -> None:
        assert card.embeds
        self.times[message_id].append(self._clock.monotonic())


async def busy_minute(minute: int, clock: ManualClock, runs: LiveRuns, board: LiveBoard, jobs: list[JobRecord]) -> None:
    """Ten reports a second of each run; one in a hundred is read as it comes from the stream, for the time it takes."""
    newest: dict[JobName, RunProgress] = {}
    for second in range(60):
        at = minute * 60 + second
        for job in jobs:
            name = JobName.parse(job.job.name)
            if second % 10 == 0:
                body = progress(job, REPORTS_A_SECOND * at, loss=1.0 / (1 + at), total_steps=100_000)
                found = decode_progress(*body)
                assert found is not None
                newest[name] = found[1]
            for number in range(REPORTS_A_SECOND):
                step = REPORTS_A_SECOND * at + number
                report = RunProgress(attempt=1, step=step, total_steps=100_000, loss=newest[name].loss / (1 + number))
                runs.hear_progress(name, report, now_seconds=clock.monotonic())
        await board.work()
        await clock.advance(1.0)


async def test_fifty_busy_runs_make_few_edits_and_no_growth() -> None:
    clock = ManualClock()
    bus = MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    watches = WatchStore(bus.records(NOTIFIER, WatchesRecord), is_watching_all=True)
    gateway, names = ScriptedGateway(), RunNames("default")
    runs = LiveRuns(LiveRules(edit_seconds=EDIT_SECONDS), watches.is_watched)
    hearing = Hearing(runs, names, clock)
    desk = Desk(
        gateway=gateway,
        watches=watches,
        names=names,
        redact=Redactor().clean,
        clock=clock,
        hear=hearing.hear,
        is_control_enabled=False,
    )
    dm = NotedDm(clock)
    board = LiveBoard(runs, desk, Places(dm, LiveStore(bus.records(NOTIFIER, DiscordRecord))), hearing.bell)
    jobs = [a_running_job(clock.now()) for _ in range(NUM_RUNS)]
    gateway.put(*jobs)

    sizes: list[int] = []
    for minute in range(MINUTES):
        if minute == MINUTES // 2:
            tracemalloc.start()  # Curves have filled by now, and it halves the speed of everything.
        await busy_minute(minute, clock, runs, board, jobs)
        gateway.calls.clear()
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert len(dm.made) == NUM_RUNS
    gaps = [later - sooner for times in dm.times.values() for sooner, later in pairwise(times)]
    assert min(gaps) >= EDIT_SECONDS
    edits = sum(len(times) for times in dm.times.values())
    assert NUM_RUNS * MINUTES * 3 <= edits <= NUM_RUNS * (MINUTES * 4 + 1)
    assert len(runs) == NUM_RUNS
    growth = sizes[-1] - sizes[MINUTES // 2]
    assert growth < 200_000, f"{growth} bytes in {MINUTES // 2 - 1} minutes: {sizes}"
