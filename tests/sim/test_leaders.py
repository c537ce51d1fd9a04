"""At no moment do two schedulers lead, over a thousand histories; and without a safety they are seen to."""

from unittest.mock import patch

import pytest

from headway.v1.records_pb2 import LeaseRecord
from scheduler import leader_lease
from scheduler.leader_lease import LeaderLease
from tests.sim.leaders import play
from tests.sim.setting import simulated
from tests.sim.store import SimulatedRecords

HISTORIES = 1_000
TOOTH_HISTORIES = 1_000


def test_no_two_lead_at_a_time_and_somebody_does_in_the_end() -> None:
    """F14, F15."""
    with simulated():
        for seed in range(HISTORIES):
            play(seed)


async def _blind(self: SimulatedRecords[LeaseRecord], key: str, value: LeaseRecord, revision: int) -> int:
    return await self.put(key, value)


_took = LeaderLease.took


def _counted_late(self: LeaderLease, revision: int, record: LeaseRecord, *, asked_at: float) -> None:
    """From a moment after the store had it, as if from the answer."""
    _took(self, revision, record, asked_at=asked_at + 1.0)


def _at_once(self: LeaderLease) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("owner", "name", "without"),
    [
        pytest.param(LeaderLease, "is_ours", True, id="who renews does not take"),
        pytest.param(leader_lease, "TRUSTED_PART", 1.3, id="the leader stops before others begin"),
        pytest.param(LeaderLease, "took", _counted_late, id="it counts from before it asked"),
        pytest.param(LeaderLease, "free_at", _at_once, id="a standby waits for the whole lease"),
        pytest.param(SimulatedRecords, "update", _blind, id="the lease is taken by compare-and-set"),
    ],
)
def test_without_the_safety_two_are_seen_to_lead(owner: object, name: str, without: object) -> None:
    with simulated(), patch.object(owner, name, without):
        found = next((why for seed in range(TOOTH_HISTORIES) if (why := _broken(seed))), "")
    assert "two lead at a time" in found or "two leaders in reign" in found, found


def _broken(seed: int) -> str:
    try:
        play(seed)
    except AssertionError as error:
        return str(error)
    return ""
