import asyncio
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from headway.contract.errors import InvalidKey, MissingKey, StoreUnavailable
from headway.contract.subjects import KEYS
from headway.runtime.key_authenticator import KeyAuthenticator
from headway.runtime.keys import INVALID_KEY_MESSAGE, Key, make_key
from headway.runtime.records import Stored
from headway.runtime.stream_records import StreamRecords
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import KeyRecord


class Site:
    """A bucket of keys that counts how often it is asked."""

    def __init__(self, bus: MemoryBus, clock: ManualClock) -> None:
        self.records = bus.records(KEYS, KeyRecord)
        self.asked: list[str] = []
        self.authenticator = KeyAuthenticator(_Counting(bus, clock, self.asked), clock, cache_seconds=5.0)

    async def enroll(self, *, expire_time: Timestamp | None = None) -> Key:
        key = make_key()
        record = KeyRecord(
            secret_sha256=key.sha256,
            scopes=["read", "submit"],
            projects=["p1"],
            user_id="u1",
            host_id="h1",
            expire_time=expire_time,
        )
        await self.records.create(key.key_id, record)
        return key

    async def revoke(self, key: Key, clock: ManualClock) -> None:
        def decide(record: KeyRecord) -> KeyRecord:
            record.revoke_time.FromDatetime(clock.now())
            return record

        await self.records.change(key.key_id, decide)


class _Counting(StreamRecords[KeyRecord]):
    def __init__(self, bus: MemoryBus, clock: ManualClock, asked: list[str]) -> None:
        super().__init__(bus._server, KEYS, KeyRecord, clock)
        self._asked = asked

    async def find(self, key: str) -> Stored[KeyRecord] | None:
        self._asked.append(key)
        await asyncio.sleep(0)
        return await super().find(key)


@pytest.fixture
async def bus(clock: ManualClock) -> MemoryBus:
    bus = MemoryBus(clock)
    await bus.provision([KEYS], [])
    return bus


@pytest.fixture
def site(bus: MemoryBus, clock: ManualClock) -> Site:
    return Site(bus, clock)


async def test_a_known_key_is_its_caller(site: Site) -> None:
    key = await site.enroll()

    principal = await site.authenticator.authenticate(key.text)

    assert (principal.key_id, principal.user_id, principal.host_id) == (key.key_id, "u1", "h1")
    assert (principal.scopes, principal.projects) == (frozenset({"read", "submit"}), frozenset({"p1"}))


async def test_no_key_is_told_apart_from_a_wrong_one(site: Site) -> None:
    with pytest.raises(MissingKey):
        await site.authenticator.authenticate(None)


async def test_every_wrong_key_gets_the_same_answer(site: Site, clock: ManualClock) -> None:
    revoked, expired = await site.enroll(), await site.enroll(expire_time=_stamp(clock, -1))
    await site.revoke(revoked, clock)
    good, other = await site.enroll(), make_key()
    borrowed_id = KeyRecord(secret_sha256=other.sha256)
    stranger = make_key()
    await site.records.create(stranger.key_id, borrowed_id)
    wrong = ["", "x" * 10_000, good.text[:-1] + "!", make_key().text, revoked.text, expired.text, stranger.text]

    answers = []
    for text in wrong:
        with pytest.raises(InvalidKey) as raised:
            await site.authenticator.authenticate(text)
        answers.append((type(raised.value), raised.value.message, raised.value.metadata))

    assert answers == [(InvalidKey, INVALID_KEY_MESSAGE, {})] * len(wrong)


async def test_a_malformed_key_is_refused_without_a_look_up(site: Site) -> None:
    key = await site.enroll()
    spoiled = key.text[:20] + ("a" if key.text[20] != "a" else "b") + key.text[21:]
    for text in ("", "sk_live_1234", "x" * 10_000, spoiled):
        with pytest.raises(InvalidKey):
            await site.authenticator.authenticate(text)
    assert site.asked == []


async def test_an_answer_is_remembered_for_a_while(site: Site, clock: ManualClock) -> None:
    key = await site.enroll()
    for _ in range(100):
        await site.authenticator.authenticate(key.text)
    assert len(site.asked) == 1

    await clock.advance(5.1)
    await site.authenticator.authenticate(key.text)
    assert len(site.asked) == 2


async def test_many_calls_at_once_ask_once(site: Site, clock: ManualClock) -> None:
    key = await site.enroll()
    await site.authenticator.authenticate(key.text)
    await clock.advance(5.1)

    await asyncio.gather(*(site.authenticator.authenticate(key.text) for _ in range(32)))

    assert len(site.asked) == 2


async def test_a_revoked_key_is_refused_within_the_memory(site: Site, clock: ManualClock) -> None:
    key = await site.enroll()
    await site.authenticator.authenticate(key.text)
    await site.revoke(key, clock)

    await clock.advance(5.1)

    with pytest.raises(InvalidKey):
        await site.authenticator.authenticate(key.text)


async def test_a_key_expires_at_its_time_remembered_or_not(site: Site, clock: ManualClock) -> None:
    key = await site.enroll(expire_time=_stamp(clock, 2))
    await site.authenticator.authenticate(key.text)

    await clock.advance(2)

    with pytest.raises(InvalidKey):
        await site.authenticator.authenticate(key.text)
    assert len(site.asked) == 1


async def test_an_unknown_key_is_remembered_too(site: Site) -> None:
    unknown = make_key().text
    for _ in range(10):
        with pytest.raises(InvalidKey):
            await site.authenticator.authenticate(unknown)
    assert len(site.asked) == 1


async def test_what_is_remembered_is_bounded(site: Site) -> None:
    for _ in range(5000):
        with pytest.raises(InvalidKey):
            await site.authenticator.authenticate(make_key().text)
    assert len(site.authenticator._answers) <= 4096


async def test_keys_that_cannot_be_read_are_not_refused_as_wrong(site: Site, bus: MemoryBus) -> None:
    key = await site.enroll()
    bus.go_away()
    with pytest.raises(StoreUnavailable):
        await site.authenticator.authenticate(key.text)

    bus.come_back()
    assert (await site.authenticator.authenticate(key.text)).user_id == "u1"


def _stamp(clock: ManualClock, seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(clock.now() + timedelta(seconds=seconds))
    return stamp
