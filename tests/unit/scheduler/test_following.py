import asyncio

from headway.contract.subjects import SETTINGS
from headway.runtime.feeds import LAST_PER_SUBJECT, Message
from headway.v1.system_service_pb2 import ExecutionConfig
from scheduler.following import follow
from tests.unit.scheduler.stage import Stage, a_stage, running


async def test_an_empty_bucket_is_caught_up_at_once() -> None:
    stage, caught_up = await a_stage(), asyncio.Event()
    async with running(lambda: following(stage, [], caught_up)):
        await stage.clock.advance(0.0)

        assert caught_up.is_set()


async def test_what_was_stored_before_is_through_when_it_is_caught_up() -> None:
    stage, caught_up, seen = await a_stage(), asyncio.Event(), list[Message]()
    records = stage.bus.records(SETTINGS, ExecutionConfig)
    for key in ("a", "b", "c"):
        await records.create(key, ExecutionConfig())
    async with running(lambda: following(stage, seen, caught_up)):
        await caught_up.wait()
        assert [message.key for message in seen] == ["a", "b", "c"]

        await records.create("d", ExecutionConfig())
        await stage.clock.advance(0.0)
        assert seen[-1].key == "d"


async def following(stage: Stage, seen: list[Message], caught_up: asyncio.Event) -> None:
    async with stage.bus.feed(SETTINGS, start=LAST_PER_SUBJECT) as feed:
        await follow(feed, seen.append, caught_up)
