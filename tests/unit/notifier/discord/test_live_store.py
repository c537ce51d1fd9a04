from headway.contract.subjects import BUCKETS, NOTIFIER, STREAMS
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import DiscordRecord
from notifier.discord.live_store import MAX_MESSAGES, LiveStore


async def a_bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.provision(BUCKETS, STREAMS)
    return bus


async def opened(bus: MemoryBus) -> LiveStore:
    store = LiveStore(bus.records(NOTIFIER, DiscordRecord))
    await store.load()
    return store


async def test_what_was_kept_is_there_after_a_restart() -> None:
    bus = await a_bus()
    store = await opened(bus)
    assert (store.commands_digest, store.messages()) == ("", {})
    await store.keep_commands("abc")
    await store.keep("projects/p/jobs/a", "1")
    await store.keep("projects/p/jobs/b", "2")
    await store.forget("projects/p/jobs/a")
    again = await opened(bus)
    assert (again.commands_digest, again.messages()) == ("abc", {"projects/p/jobs/b": "2"})


async def test_the_oldest_messages_are_forgotten() -> None:
    store = await opened(await a_bus())
    for number in range(MAX_MESSAGES + 1):
        await store.keep(f"projects/p/jobs/{number}", f"{number}")
    assert len(store.messages()) == MAX_MESSAGES
    assert "projects/p/jobs/0" not in store.messages()
