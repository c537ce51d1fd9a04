import asyncio
import random
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.errors import DigestMismatch, StoreUnavailable
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import FAILURE_CLASS_FATAL, FAILURE_CLASS_TRANSIENT
from tests.contract.fake_gateway import FakeGateway
from tests.unit.trainer_host.doubles import HastyClock
from trainer_host.attempt_failure import AttemptFailed
from trainer_host.child_messages import InputFile
from trainer_host.input_cache import InputCache
from trainer_host.inputs import Inputs
from trainer_host.retries import Pace

CONTENT = random.Random(1).randbytes(1_000_000)


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def cache(tmp_path: Path) -> InputCache:
    made = InputCache(tmp_path / "cache", limit_bytes=10_000_000)
    made.prepare()
    return made


@pytest.fixture
def inputs(channel: grpc.aio.Channel, cache: InputCache, clock: HastyClock) -> Inputs:
    return Inputs(cache, BlobServiceStub(channel), clock, Pace(give_up_seconds=60))


def content_of(file: InputFile) -> bytes:
    return Path(file.path).read_bytes()


async def test_an_input_is_fetched_once_and_then_reused(inputs: Inputs, gateway: FakeGateway) -> None:
    pinned = gateway.add(CONTENT)
    for _ in range(2):
        async with inputs.held("projects/p", [pinned]) as [file]:
            assert content_of(file) == CONTENT
            assert (file.role, file.digest, file.format) == ("table", pinned.digest, "csv")
    assert gateway.calls == ["DownloadBlob"]


async def test_attempts_that_want_the_same_input_fetch_it_once(inputs: Inputs, gateway: FakeGateway) -> None:
    pinned = gateway.add(CONTENT)

    async def use() -> None:
        async with inputs.held("projects/p", [pinned]) as [file]:
            assert content_of(file) == CONTENT

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(use())
    assert gateway.calls == ["DownloadBlob"]


async def test_a_damaged_part_is_thrown_away_and_fetched_anew(
    inputs: Inputs, gateway: FakeGateway, cache: InputCache
) -> None:
    pinned = gateway.add(CONTENT)
    cache.part_path(pinned.digest).write_bytes(bytes(700_000))
    async with inputs.held("projects/p", [pinned]) as [file]:
        assert content_of(file) == CONTENT
    assert gateway.download_offsets == [700_000, 0]


async def test_an_absent_gateway_is_waited_for(inputs: Inputs, gateway: FakeGateway, clock: HastyClock) -> None:
    pinned = gateway.add(CONTENT)
    gateway.faults.errors["DownloadBlob"] = [StoreUnavailable("away"), DigestMismatch("damaged")]
    async with inputs.held("projects/p", [pinned]) as [file]:
        assert content_of(file) == CONTENT
    assert len(clock.sleeps) == 2


async def test_a_gateway_that_stays_away_makes_the_attempt_fail_for_another_try(
    inputs: Inputs, gateway: FakeGateway
) -> None:
    pinned = gateway.add(CONTENT)
    gateway.faults.errors["DownloadBlob"] = [StoreUnavailable("away") for _ in range(1000)]
    with pytest.raises(AttemptFailed) as raised:
        async with inputs.held("projects/p", [pinned]):
            """Not reached."""
    failure = raised.value.failure
    assert (failure.failure_class, failure.reason) == (FAILURE_CLASS_TRANSIENT, "INPUT_UNAVAILABLE")


async def test_an_input_that_the_gateway_does_not_have_is_fatal(inputs: Inputs, gateway: FakeGateway) -> None:
    pinned = gateway.add(CONTENT)
    gateway.blobs.clear()
    with pytest.raises(AttemptFailed) as raised:
        async with inputs.held("projects/p", [pinned]):
            """Not reached."""
    failure = raised.value.failure
    assert (failure.failure_class, failure.reason) == (FAILURE_CLASS_FATAL, "INPUT_MISSING")


async def test_a_full_disk_makes_the_attempt_fail_for_another_try(
    inputs: Inputs, gateway: FakeGateway, cache: InputCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = gateway.add(CONTENT)

    def full(_digest: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "adopt", full)
    with pytest.raises(AttemptFailed) as raised:
        async with inputs.held("projects/p", [pinned]):
            """Not reached."""
    assert raised.value.failure.reason == "HOST_DISK_FULL"


async def test_an_input_in_use_is_not_evicted(inputs: Inputs, gateway: FakeGateway, cache: InputCache) -> None:
    pinned = gateway.add(CONTENT)
    async with inputs.held("projects/p", [pinned]):
        cache.make_room(10_000_000)
        assert cache.find(pinned.digest, pinned.size_bytes)
    cache.make_room(10_000_000)
    assert not cache.find(pinned.digest, pinned.size_bytes)
