"""When new jobs are refused for want of room, and when they are taken again (P28, F8, F9, F45)."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.room import Found, Room, refusal_of
from headway.contract.errors import Code, DiskFull, StoreUnavailable
from headway.contract.limits import MIB
from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.bus import StreamState
from headway.runtime.durability import Ailment
from headway.testing.clock import ManualClock
from tests.unit.gateway.builders import NOW


@pytest.mark.parametrize(
    ("found", "place"),
    [
        (Found(free_bytes=64 * MIB - 1), "gateway"),
        (Found(free_bytes=0), "gateway"),
        (Found(ailment=Ailment.NO_ROOM), "nats-server"),
        (Found(bucket_bytes=901, bucket_max_bytes=1000), "jobs bucket"),
    ],
    ids=["almost full", "full", "the store ran full", "the bucket is at its bound"],
)
def test_want_of_room_is_told_with_the_place_and_when_to_come_back(found: Found, place: str) -> None:
    refusal = refusal_of(found, 64 * MIB)
    assert isinstance(refusal, DiskFull)
    assert (refusal.code, refusal.metadata["place"]) == (Code.RESOURCE_EXHAUSTED, place)
    assert refusal.retry_after is not None


@pytest.mark.parametrize(
    "found",
    [Found(), Found(free_bytes=64 * MIB), Found(bucket_bytes=900, bucket_max_bytes=1000), Found(bucket_bytes=10**12)],
    ids=["nothing known", "enough", "enough in the bucket", "a bucket without a bound"],
)
def test_with_room_nothing_is_refused(found: Found) -> None:
    assert refusal_of(found, 64 * MIB) is None


def test_a_failing_disk_is_no_full_one_f9() -> None:
    refusal = refusal_of(Found(free_bytes=10**12, ailment=Ailment.FAILING_DISK), 0)
    assert isinstance(refusal, StoreUnavailable)


@dataclass
class FakeStates:
    """A bucket of which the test says how full it is; None: nats-server is away."""

    num_bytes: int | None = 0
    asked: list[str] = field(default_factory=list)

    async def stream_state(self, stream: StreamSpec | BucketSpec) -> StreamState:
        self.asked.append(stream.name)
        if self.num_bytes is None:
            raise StoreUnavailable("away")
        return StreamState(1, 1, 1, NOW, num_bytes=self.num_bytes, max_bytes=1000)


async def test_room_comes_and_goes_and_is_told_each_time(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10 * MIB
    looks = ((4 * MIB, True), (0, True), (5 * MIB, False))
    monkeypatch.setattr("gateway.room.free_bytes", lambda _: free)
    room = Room([tmp_path], FakeStates(), clock, min_free_mib=5)
    await room.prime()
    room.check()
    for found, is_refused in looks:
        free = found
        await room._look(is_store_due=False)
        if is_refused:
            with pytest.raises(DiskFull):
                room.check()
        else:
            room.check()


async def test_while_nats_server_is_away_its_last_word_counts(tmp_path: Path, clock: ManualClock) -> None:
    states = FakeStates(num_bytes=999)
    room = Room([tmp_path], states, clock, min_free_mib=0)
    await room.prime()
    states.num_bytes = None
    await room._look(is_store_due=True)
    with pytest.raises(DiskFull):
        room.check()
    states.num_bytes = 0
    await room._look(is_store_due=True)
    room.check()


async def test_a_disk_that_cannot_be_looked_at_refuses_nothing(tmp_path: Path, clock: ManualClock) -> None:
    room = Room([tmp_path / "missing"], FakeStates(), clock, min_free_mib=5)
    await room.prime()
    room.check()
