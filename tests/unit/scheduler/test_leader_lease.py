import math

from headway.v1.records_pb2 import LeaseRecord
from scheduler.leader_lease import TRUSTED_PART, Candidate, LeaderLease

LEASE_SECONDS = 5.0


def a_candidate(name: str = "a", boot: str = "1") -> Candidate:
    return Candidate(holder_id=name, boot_id=name + boot, address=f"{name}:7071", lease_seconds=LEASE_SECONDS)


def a_lease(name: str = "a", boot: str = "1") -> LeaderLease:
    return LeaderLease(a_candidate(name, boot))


def held_by(name: str, boot: str = "1", reign: int = 1) -> LeaseRecord:
    record = a_lease(name, boot).next_record()
    record.reign = reign
    return record


def test_a_lease_that_nobody_has_is_free_at_once() -> None:
    lease = a_lease()
    assert lease.free_at() == -math.inf
    lease.see(3, LeaseRecord(reign=7), now=10.0)
    assert lease.free_at() == -math.inf
    assert lease.next_record().reign == 8
    assert not lease.is_held(10.0)


def test_another_s_lease_is_over_when_its_revision_stood_still_for_as_long_as_it_lasts() -> None:
    """P22: by the monotonic clock of who looks, from when it was first seen."""
    lease = a_lease()
    lease.see(3, held_by("b"), now=10.0)
    assert lease.free_at() == 10.0 + LEASE_SECONDS
    lease.see(3, held_by("b"), now=12.0)
    assert lease.free_at() == 10.0 + LEASE_SECONDS, "the same revision is no news"
    lease.see(4, held_by("b"), now=13.0)
    assert lease.free_at() == 13.0 + LEASE_SECONDS
    lease.see(3, held_by("c"), now=14.0)
    assert lease.leader_address == "b:7071", "what is older is no news either"


def test_it_lasts_as_long_as_its_holder_said() -> None:
    lease, record = a_lease(), held_by("b")
    record.duration.FromSeconds(60)
    lease.see(3, record, now=10.0)
    assert lease.free_at() == 70.0


def test_the_holder_trusts_it_from_before_it_asked_and_a_tenth_less_long_than_others() -> None:
    """Whoever follows counts from a later moment and for longer: no two lead at a time."""
    leader, standby = a_lease("a"), a_lease("b")
    record = leader.next_record()
    asked_at, stored_at = 100.0, 100.4
    standby.see(1, record, now=stored_at)
    leader.took(1, record, asked_at=asked_at)

    end = asked_at + TRUSTED_PART * LEASE_SECONDS
    assert leader.is_held(end - 0.01)
    assert not leader.is_held(end)
    assert standby.free_at() >= asked_at + LEASE_SECONDS > leader.held_until


def test_a_lease_that_somebody_else_is_seen_to_have_is_not_held() -> None:
    lease = a_lease()
    lease.took(1, lease.next_record(), asked_at=0.0)
    lease.see(2, held_by("b", reign=2), now=1.0)
    assert not lease.is_held(1.0)
    assert lease.free_at() == 1.0 + LEASE_SECONDS


def test_an_acknowledgement_that_comes_after_the_news_of_a_successor_counts_for_nothing() -> None:
    lease = a_lease()
    lease.see(7, held_by("b"), now=1.0)
    lease.took(5, lease.next_record(), asked_at=0.9)
    assert not lease.is_held(1.0)
    assert lease.leader_address == "b:7071"


def test_an_own_write_whose_answer_was_lost_is_found_again() -> None:
    lease = a_lease()
    lease.took(1, lease.next_record(), asked_at=0.0)
    lease.see(2, lease.next_record(), now=1.0)
    assert lease.is_held(1.0)
    assert lease.sighting is not None
    assert lease.sighting.revision == 2, "what the next renewal must name"
    assert lease.free_at() == -math.inf


def test_the_lease_of_the_dead_process_before_this_one_is_taken_at_once() -> None:
    """One scheduler alone starts after a kill -9 without a wait."""
    lease = a_lease("a", boot="2")
    lease.see(3, held_by("a", boot="1"), now=10.0)
    assert lease.free_at() == -math.inf
    assert lease.next_record().reign == 2


def test_a_twin_with_a_copy_of_the_folder_is_waited_for_as_anybody() -> None:
    """Else two of them would take the lease from each other without an end."""
    lease = a_lease("a", boot="2")
    lease.see(3, held_by("a", boot="1"), now=10.0)
    lease.took(4, lease.next_record(), asked_at=10.0)
    lease.see(5, held_by("a", boot="1", reign=3), now=11.0)
    assert not lease.is_held(11.0)
    assert lease.free_at() == 11.0 + LEASE_SECONDS


def test_a_record_that_was_deleted_is_free_and_a_bucket_begins_anew() -> None:
    lease = a_lease()
    lease.see(9, held_by("b"), now=1.0)
    lease.see(0, LeaseRecord(), now=2.0)
    assert lease.free_at() == -math.inf
    lease.see(1, held_by("c"), now=3.0)
    assert lease.leader_address == "c:7071"


def test_a_renewal_keeps_the_reign_and_what_is_given_back_keeps_the_count() -> None:
    lease = a_lease()
    lease.see(3, held_by("b", reign=4), now=0.0)
    first = lease.next_record()
    lease.took(4, first, asked_at=6.0)
    assert (first.reign, lease.next_record().reign) == (5, 5)
    assert lease.vacant_record() == LeaseRecord(reign=5)
    lease.lose()
    assert not lease.is_held(6.0)
