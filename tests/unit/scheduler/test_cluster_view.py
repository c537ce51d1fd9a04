import asyncio
from dataclasses import replace
from datetime import timedelta

from headway.contract import transitions
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, EXECUTION_MODE_HOST
from headway.v1.jobs_pb2 import JobResult
from headway.v1.records_pb2 import JobRecord
from scheduler.cluster_view import RECONNECT_SECONDS, ClusterView, Moment
from scheduler.host_table import Voice, Word
from scheduler.signals import Signals
from scheduler.snapshot import AttemptKey, Standing

LEASE = 15.0
ANTON = "hosts/anton"


def at(seconds: float) -> Moment:
    return Moment(A_MOMENT + timedelta(seconds=seconds), seconds)


def a_view() -> ClusterView:
    return ClusterView(LEASE, EXECUTION_MODE_AUTO, Signals())


def put(view: ClusterView, record: JobRecord, revision: int, seconds: float = 0.0) -> AttemptKey:
    job_id = record.job.name.rpartition("/")[2]
    view.put_job(job_id, revision, record, at(seconds))
    return job_id, record.job.attempt


def a_word(*reported: AttemptKey) -> Word:
    return Word(a_host(), dict.fromkeys(reported, "name"), ())


def cancelled(record: JobRecord) -> JobRecord:
    changed = transitions.request_cancel(record, message="", now=A_MOMENT)
    assert changed is not None
    return transitions.confirm_cancelled(changed, attempt=1, now=A_MOMENT)


def test_a_claim_grants_a_lease_and_the_end_of_the_job_revokes_it() -> None:
    view, record = a_view(), a_claimed_record()
    key = put(view, record, 1, seconds=3.0)
    assert view.snapshot().lease_ends == {key: 3.0 + LEASE}

    put(view, cancelled(record), 2)
    assert view.snapshot().lease_ends == {}
    assert view.snapshot().held == ()


def test_the_next_attempt_has_a_lease_of_its_own() -> None:
    view, record = a_view(), a_claimed_record()
    put(view, record, 1)
    lost = transitions.lose_attempt(record, attempt=1, now=A_MOMENT)
    put(view, lost, 2, seconds=20.0)
    key = put(view, a_claimed_record(lost), 3, seconds=21.0)

    assert key[1] == 2
    assert view.snapshot().lease_ends == {key: 21.0 + LEASE}


def test_the_echo_of_our_own_write_is_no_news() -> None:
    view, record = a_view(), a_claimed_record()
    job_id, _ = put(view, record, 7)

    assert not view.put_job(job_id, 7, record, at(1.0))


def test_only_what_a_host_reports_is_renewed() -> None:
    view = a_view()
    first, second = put(view, a_claimed_record(), 1), put(view, a_claimed_record(), 2)
    view.hear(a_word(first), Voice(), at(10.0))

    assert view.snapshot().lease_ends == {first: 25.0, second: LEASE}


def test_how_long_attempts_were_at_work_is_known_until_they_end_and_never_shrinks() -> None:
    view, record = a_view(), a_claimed_record()
    key = put(view, record, 1)

    def hear(ran: float, seconds: float) -> None:
        view.hear(replace(a_word(key), run_seconds={key: ran}), Voice(), at(seconds))

    hear(7.5, 8.0)
    hear(0.0, 9.0)
    assert view.snapshot().run_seconds == {key: 7.5}, "a host that was started anew has forgotten"

    put(view, transitions.lose_attempt(record, attempt=1, now=A_MOMENT), 2)
    assert view.snapshot().run_seconds == {}


def test_a_host_renews_nothing_that_another_holds() -> None:
    view = a_view()
    key = put(view, a_claimed_record(host=a_host("berta")), 1)
    view.hear(a_word(key), Voice(), at(10.0))

    assert view.snapshot().lease_ends == {key: LEASE}


def test_news_of_a_job_wakes_its_old_and_its_new_host() -> None:
    signals = Signals()
    view = ClusterView(LEASE, EXECUTION_MODE_AUTO, signals)
    anton, berta = asyncio.Event(), asyncio.Event()
    signals.attach(ANTON, anton)
    signals.attach("hosts/berta", berta)
    record = a_claimed_record()
    put(view, record, 1)
    assert anton.is_set()

    anton.clear()
    lost = transitions.lose_attempt(record, attempt=1, now=A_MOMENT)
    put(view, a_claimed_record(lost, host=a_host("berta")), 2)
    assert anton.is_set()
    assert berta.is_set()


def test_a_beat_that_says_nothing_new_wakes_nobody() -> None:
    signals = Signals()
    view = ClusterView(LEASE, EXECUTION_MODE_AUTO, signals)
    voice = Voice()
    view.hear(a_word(), voice, at(0.0))
    assert signals.pass_wanted.is_set()

    signals.pass_wanted.clear()
    view.hear(a_word(), voice, at(1.0))
    assert not signals.pass_wanted.is_set()


def test_a_record_that_is_gone_frees_its_host() -> None:
    view = a_view()
    job_id, _ = put(view, a_claimed_record(), 1)
    view.remove_job(job_id, 2)
    view.remove_job("unknown", 3)

    assert view.snapshot().held == ()
    assert view.snapshot().lease_ends == {}


def test_a_change_of_the_default_mode_is_news() -> None:
    signals = Signals()
    view = ClusterView(LEASE, EXECUTION_MODE_AUTO, signals)
    view.set_default_mode(EXECUTION_MODE_HOST)

    assert view.snapshot().default_mode == EXECUTION_MODE_HOST
    assert signals.pass_wanted.is_set()


def test_silent_hosts_are_lost_and_their_attempts_keep_their_own_leases() -> None:
    view = a_view()
    voice = Voice()
    view.hear(a_word(), voice, at(0.0))
    key = put(view, a_claimed_record(), 1, seconds=10.0)

    assert [host.host.name for host in view.lose_silent_hosts(at(LEASE))] == [ANTON]
    assert view.lose_silent_hosts(at(LEASE)) == []
    assert view.snapshot().lease_ends == {key: 10.0 + LEASE}


def test_a_restart_of_leases_gives_everybody_a_full_term() -> None:
    view = a_view()
    view.hear(a_word(), Voice(), at(0.0))
    key = put(view, a_claimed_record(), 1)
    view.restart_leases(at(1000.0))

    assert view.snapshot().lease_ends == {key: 1000.0 + LEASE}
    assert view.lose_silent_hosts(at(1000.0 + LEASE - 1)) == []


def test_a_restart_leaves_hosts_the_time_to_call_again_however_short_the_lease() -> None:
    view = ClusterView(1.0, EXECUTION_MODE_AUTO, Signals())
    view.hear(a_word(), Voice(), at(0.0))
    key = put(view, a_claimed_record(), 1)
    view.restart_leases(at(1000.0))

    assert view.snapshot().lease_ends == {key: 1000.0 + RECONNECT_SECONDS}
    assert view.lose_silent_hosts(at(1000.0 + RECONNECT_SECONDS - 0.1)) == []


def test_a_host_that_hangs_up_is_not_connected() -> None:
    view, voice = a_view(), Voice()
    view.hear(a_word(), voice, at(0.0))
    view.hang_up(ANTON, voice)

    (host,) = view.snapshot().hosts
    assert not host.connected


def test_an_expected_host_is_in_the_snapshot() -> None:
    view = a_view()
    view.expect_host(a_host(), join_time=A_MOMENT, heard_time=A_MOMENT, now=at(0.0))

    (host,) = view.snapshot().hosts
    assert (host.facts.name, host.connected) == (ANTON, False)


def test_an_attempt_stands_as_the_record_says() -> None:
    view, record = a_view(), a_claimed_record()
    job_id, _ = put(view, record, 1)

    assert view.standing(ANTON, (job_id, 1)) is Standing.CURRENT
    assert view.standing("hosts/berta", (job_id, 1)) is Standing.OVER
    assert view.standing(ANTON, (job_id, 2)) is Standing.UNKNOWN, "our view may be behind"

    lost = transitions.lose_attempt(record, attempt=1, now=A_MOMENT)
    put(view, lost, 2)
    assert view.standing(ANTON, (job_id, 1)) is Standing.OVER

    put(view, cancelled(record), 3)
    assert view.standing(ANTON, (job_id, 1)) is Standing.OVER
    assert view.standing(ANTON, ("j" + "a" * 25, 1)) is Standing.UNKNOWN


def test_orders_come_with_their_records() -> None:
    view, record = a_view(), a_claimed_record()
    key = put(view, record, 1)

    ((held, live),) = view.orders_for(ANTON)
    assert held.key == key
    assert live.record == record
    assert list(view.orders_for("hosts/berta")) == []


def test_an_attempt_that_made_the_result_is_told_apart_from_one_that_came_to_nothing() -> None:
    view, record = a_view(), a_claimed_record()
    host = record.job.host
    done = transitions.commit_result(record, host=host, result=JobResult(attempt=1), now=A_MOMENT)
    job_id, _ = put(view, done, 2)

    assert view.standing(host, (job_id, 1)) is Standing.COMMITTED
    assert view.standing(host, (job_id, 2)) is Standing.OVER
