import pytest

from gateway.enrolment import Enrolment
from headway.contract.errors import InvalidName
from headway.contract.subjects import KEYS
from headway.runtime.clock import SystemClock
from headway.runtime.key_authenticator import KeyAuthenticator
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import KeyRecord


async def test_a_key_lets_one_host_in_and_is_kept_as_a_digest_only(memory_bus: MemoryBus) -> None:
    records = memory_bus.records(KEYS, KeyRecord)
    enrolment = Enrolment(records, SystemClock(), gateway_address="a:1", scheduler_address="b:2")
    enrolled = await enrolment.enroll("anton", "ada")
    assert (enrolled.gateway_address, enrolled.scheduler_address) == ("a:1", "b:2")

    principal = await KeyAuthenticator(records, SystemClock()).authenticate(enrolled.key)
    assert (principal.host_id, principal.scopes, principal.projects) == ("anton", frozenset({"host"}), frozenset({"*"}))
    stored = await records.get(principal.key_id)
    assert enrolled.key.rpartition("_")[0].encode() not in stored.value.SerializeToString()


async def test_two_keys_of_a_host_are_two_keys(memory_bus: MemoryBus) -> None:
    enrolment = Enrolment(
        memory_bus.records(KEYS, KeyRecord), SystemClock(), gateway_address="a:1", scheduler_address="b:2"
    )
    assert (await enrolment.enroll("anton", "ada")).key != (await enrolment.enroll("anton", "ada")).key


@pytest.mark.parametrize("host_id", ["", "Anton", "a/b", "a" * 64, "-a"])
async def test_a_host_id_follows_its_pattern(memory_bus: MemoryBus, host_id: str) -> None:
    enrolment = Enrolment(
        memory_bus.records(KEYS, KeyRecord), SystemClock(), gateway_address="a:1", scheduler_address="b:2"
    )
    with pytest.raises(InvalidName):
        await enrolment.enroll(host_id, "ada")
