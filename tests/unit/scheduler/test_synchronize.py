"""The conversation with one host, without a wire."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.contract.errors import (
    DeadlineExceeded,
    HostIdInUse,
    InvalidHostState,
    ScopeDenied,
    TooManyMessages,
)
from headway.runtime.principal import Principal
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host
from headway.v1.hosts_pb2 import Host
from headway.v1.scheduler_service_pb2 import AttemptReport, SynchronizeRequest, SynchronizeResponse
from scheduler.synchronize import FIRST_MESSAGE_SECONDS, Synchronizer
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage

ANYBODY = Principal(key_id="k", user_id="u", scopes=frozenset({"host"}), projects=frozenset({"*"}))


class Spawn:
    """Owns the listening sides."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(work, name=name))
        return self.tasks[-1]


class Scene:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.spawner = Spawn()
        self.synchronizer = Synchronizer(
            stage.view, stage.signals, self.spawner, stage.clock, lease=timedelta(seconds=LEASE_SECONDS)
        )


class Line:
    """A host's end of one stream."""

    def __init__(
        self,
        answers: AsyncGenerator[SynchronizeResponse, None],
        requests: asyncio.Queue[SynchronizeRequest | None],
    ) -> None:
        self._answers = answers
        self._requests = requests
        self._sequence = 0

    def say(self, host: Host | None = None, *reports: AttemptReport) -> None:
        self._sequence += 1
        said = host if host is not None else a_host()
        self._requests.put_nowait(SynchronizeRequest(host=said, attempts=reports, sequence=self._sequence))

    def hang_up(self) -> None:
        self._requests.put_nowait(None)

    async def hear(self) -> SynchronizeResponse:
        async with asyncio.timeout(2):
            return await anext(self._answers)

    async def hears_nothing(self) -> bool:
        waiting = asyncio.ensure_future(anext(self._answers))
        await asyncio.sleep(0.02)
        is_silent = not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        return is_silent


@asynccontextmanager
async def a_line(scene: Scene, principal: Principal = ANYBODY) -> AsyncIterator[Line]:
    queue: asyncio.Queue[SynchronizeRequest | None] = asyncio.Queue()

    async def requests() -> AsyncIterator[SynchronizeRequest]:
        while (request := await queue.get()) is not None:
            yield request

    async with aclosing(scene.synchronizer.converse(requests(), principal)) as answers:
        yield Line(answers, queue)


async def a_scene() -> Scene:
    return Scene(await a_stage())


async def store_a_claim(stage: Stage) -> str:
    return await stage.store(a_claimed_record())


async def test_every_message_is_answered_with_the_whole_state_and_the_pace() -> None:
    scene = await a_scene()
    job_id = await store_a_claim(scene.stage)
    async with a_line(scene) as line:
        line.say()
        first = await line.hear()
        assert (first.sequence, [order.attempt for order in first.run]) == (1, [1])
        assert first.lease_duration.ToTimedelta() == timedelta(seconds=LEASE_SECONDS)
        assert first.next_sync_delay.ToTimedelta() == timedelta(seconds=LEASE_SECONDS / 5)

        line.say(None, AttemptReport(job=f"projects/demo/jobs/{job_id}", attempt=1))
        second = await line.hear()
        assert (second.sequence, len(second.run)) == (2, 1)


async def test_a_change_is_said_unasked() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        await store_a_claim(scene.stage)
        unasked = await line.hear()

        assert (unasked.sequence, len(unasked.run)) == (1, 1)


async def test_news_that_changes_nothing_for_the_host_is_not_said() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        scene.stage.signals.news(["hosts/anton"])

        assert await line.hears_nothing()


async def test_messages_that_come_together_are_answered_together() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        for _ in range(5):
            line.say()
        assert (await line.hear()).sequence == 5


async def test_a_cancelled_job_is_to_be_stopped() -> None:
    scene = await a_scene()
    job_id = await store_a_claim(scene.stage)
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        stored = await scene.stage.records.change(
            job_id, lambda record: transitions.request_cancel(record, message="", now=A_MOMENT)
        )
        scene.stage.view.put_job(job_id, stored.revision, stored.value, scene.stage.now())

        assert [stop.attempt for stop in (await line.hear()).stop] == [1]


async def test_an_impossible_message_ends_the_stream_and_changes_nothing() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say(a_host(num_slots=-1))
        with pytest.raises(InvalidHostState):
            await line.hear()
    assert scene.stage.view.hosts.all() == ()


async def test_a_second_live_boot_is_refused_and_the_first_is_not_disturbed() -> None:
    scene = await a_scene()
    async with a_line(scene) as first, a_line(scene) as twin:
        first.say()
        await first.hear()
        twin.say(a_host(boot_id="boot-2"))
        with pytest.raises(HostIdInUse):
            await twin.hear()

        first.say()
        assert (await first.hear()).sequence == 2


async def test_a_newer_stream_of_the_same_boot_replaces_the_older() -> None:
    scene = await a_scene()
    async with a_line(scene) as older, a_line(scene) as newer:
        older.say()
        await older.hear()
        newer.say()
        await newer.hear()

        with pytest.raises(StopAsyncIteration):
            await older.hear()
        await store_a_claim(scene.stage)
        assert len((await newer.hear()).run) == 1
    assert all(task.done() for task in scene.spawner.tasks)


async def test_what_an_older_stream_still_says_is_not_heard() -> None:
    scene = await a_scene()
    async with a_line(scene) as older, a_line(scene) as newer:
        older.say()
        await older.hear()
        newer.say(a_host(num_slots=9))
        await newer.hear()
        older.say(a_host(num_slots=1))
        await asyncio.sleep(0.02)

        (host,) = scene.stage.view.hosts.all()
        assert host.facts.num_slots == 9


async def test_a_host_that_hangs_up_is_no_longer_connected() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        line.hang_up()
        with pytest.raises(StopAsyncIteration):
            await line.hear()

    (host,) = scene.stage.view.hosts.all()
    assert not host.view.connected


async def test_a_stream_that_is_cut_is_no_longer_connected_and_leaves_no_task() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()

    (host,) = scene.stage.view.hosts.all()
    assert not host.view.connected
    assert all(task.done() for task in scene.spawner.tasks)


async def test_a_flood_is_refused() -> None:
    """E4."""
    scene = await a_scene()
    async with a_line(scene) as line:
        for _ in range(2000):
            line.say()
        with pytest.raises(TooManyMessages):
            await _hear_to_the_end(line)


async def _hear_to_the_end(line: Line) -> None:
    while True:
        await line.hear()


async def test_a_stream_that_says_nothing_is_closed() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        waiting = asyncio.ensure_future(line.hear())
        await asyncio.sleep(0)
        await scene.stage.clock.advance(FIRST_MESSAGE_SECONDS + 1)
        with pytest.raises(DeadlineExceeded):
            await waiting


@pytest.mark.parametrize("other", [a_host("berta"), a_host(boot_id="boot-2")])
def test_one_stream_is_one_boot_of_one_host(other: Host) -> None:
    async def scenario() -> None:
        scene = await a_scene()
        async with a_line(scene) as line:
            line.say()
            await line.hear()
            line.say(other)
            with pytest.raises(InvalidHostState, match="within one stream"):
                await line.hear()

    asyncio.run(scenario())


async def test_a_key_made_for_one_host_speaks_for_no_other() -> None:
    scene = await a_scene()
    berta_only = Principal(key_id="k", user_id="u", scopes=frozenset({"host"}), projects=frozenset(), host_id="berta")
    async with a_line(scene, berta_only) as line:
        line.say(a_host("anton"))
        with pytest.raises(ScopeDenied):
            await line.hear()
    async with a_line(scene, berta_only) as line:
        line.say(a_host("berta"))
        await line.hear()


async def test_a_drain_ends_every_conversation() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        scene.synchronizer.close()
        with pytest.raises(StopAsyncIteration):
            await line.hear()
    async with a_line(scene) as line:
        line.say()
        with pytest.raises(StopAsyncIteration):
            await line.hear()


async def test_a_host_that_was_lost_is_back_with_its_next_message() -> None:
    scene = await a_scene()
    async with a_line(scene) as line:
        line.say()
        await line.hear()
        now = scene.stage.now()
        scene.stage.view.lose_silent_hosts(type(now)(now.time, now.seconds + LEASE_SECONDS))
        scene.stage.signals.news(["hosts/anton"])
        assert await line.hears_nothing()
