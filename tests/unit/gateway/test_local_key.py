"""The key of this machine (RELIABILITY P29, P30)."""

import stat
from pathlib import Path

import pytest

from gateway.local_key import admit_local_key, ensure_local_key, local_key_path, own_key
from headway.contract.access import Scope
from headway.contract.errors import InvalidKey
from headway.contract.subjects import KEYS
from headway.contract.times import timestamp
from headway.runtime.key_authenticator import KeyAuthenticator
from headway.runtime.keys import parse
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import KeyRecord


def test_a_missing_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    key = ensure_local_key(tmp_path)
    assert stat.S_IMODE(local_key_path(tmp_path).stat().st_mode) == 0o600
    assert ensure_local_key(tmp_path) == key


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ensure_local_key(tmp_path)
    local_key_path(tmp_path).chmod(0o644)
    with pytest.raises(InvalidKey, match="chmod 600"):
        ensure_local_key(tmp_path)


def test_the_environments_key_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWAY_API_KEY", raising=False)
    assert own_key("local") == "local"
    monkeypatch.setenv("HEADWAY_API_KEY", "other")
    assert own_key("local") == "other"


async def test_the_admitted_key_opens_everything(tmp_path: Path, memory_bus: MemoryBus, clock: ManualClock) -> None:
    records = memory_bus.records(KEYS, KeyRecord)
    key = ensure_local_key(tmp_path)
    await admit_local_key(records, key, clock)
    principal = await KeyAuthenticator(records, clock).authenticate(key)
    assert all(principal.may(scope) for scope in Scope)
    assert principal.may_touch("anything")


async def test_the_store_never_holds_the_key_itself_p30(
    tmp_path: Path, memory_bus: MemoryBus, clock: ManualClock
) -> None:
    records = memory_bus.records(KEYS, KeyRecord)
    key = ensure_local_key(tmp_path)
    await admit_local_key(records, key, clock)
    stored = (await records.get(parse(key))).value.SerializeToString()
    assert key.encode() not in stored
    assert key.rsplit("_", 2)[1].encode() not in stored


async def test_a_restart_writes_nothing_and_a_revoked_key_works_again(
    tmp_path: Path, memory_bus: MemoryBus, clock: ManualClock
) -> None:
    records = memory_bus.records(KEYS, KeyRecord)
    key = ensure_local_key(tmp_path)
    await admit_local_key(records, key, clock)
    before = await records.get(parse(key))
    await admit_local_key(records, key, clock)
    assert await records.get(parse(key)) == before
    revoked = before.value
    revoked.revoke_time.CopyFrom(timestamp(clock.now()))
    await records.put(parse(key), revoked)
    await admit_local_key(records, key, clock)
    assert (await KeyAuthenticator(records, clock).authenticate(key)).may("read")
