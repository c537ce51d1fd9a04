from datetime import timedelta

import pytest

from headway.contract.errors import HostIdInUse
from headway.testing.builders import A_MOMENT, a_host
from headway.v1.hosts_pb2 import Host
from scheduler.host_table import HostTable, LiveHost, Voice, Word
from scheduler.snapshot import AttemptKey

LEASE = 15.0
ANTON = "hosts/anton"


def a_word(host: Host | None = None, *reported: AttemptKey) -> Word:
    return Word(host if host is not None else a_host(), dict.fromkeys(reported, "projects/demo/jobs/j1"), ())


def hear(
    table: HostTable, word: Word, voice: Voice, *, at: float = 0.0, held: tuple[AttemptKey, ...] = ()
) -> Voice | None:
    moment = A_MOMENT + timedelta(seconds=at)
    return table.hear(word, voice, held=held, now=moment, now_seconds=at)


def anton(table: HostTable) -> LiveHost:
    live = table.find(ANTON)
    assert live is not None
    return live


def test_a_host_that_speaks_is_live_and_connected() -> None:
    table = HostTable(LEASE)
    assert hear(table, a_word(), Voice(), at=3.0) is None

    live = anton(table)
    assert live.view.connected
    assert (live.heard_at, live.join_time) == (3.0, A_MOMENT + timedelta(seconds=3))
    assert table.all() == (live,)


def test_a_later_message_replaces_the_one_before() -> None:
    table, voice = HostTable(LEASE), Voice()
    hear(table, a_word(None, ("j1", 1)), voice)
    hear(table, a_word(a_host(num_slots=7)), voice, at=2.0)

    live = anton(table)
    assert (live.facts.num_slots, dict(live.reported), live.heard_at) == (7, {}, 2.0)
    assert live.join_time == A_MOMENT


def test_a_host_is_lost_when_it_was_silent_for_its_lease() -> None:
    table = HostTable(LEASE)
    hear(table, a_word(), Voice())

    assert table.next_loss() == LEASE
    assert table.lose_silent(now_seconds=LEASE - 0.001) == []
    assert [live.host.name for live in table.lose_silent(now_seconds=LEASE)] == [ANTON]
    assert table.find(ANTON) is None
    assert table.next_loss() is None


def test_a_stream_that_ends_leaves_the_host_its_lease() -> None:
    table, voice = HostTable(LEASE), Voice()
    hear(table, a_word(), voice)
    table.hang_up(ANTON, voice)

    assert not anton(table).view.connected
    assert table.lose_silent(now_seconds=LEASE - 1) == []


def test_a_newer_stream_of_the_same_boot_replaces_the_older() -> None:
    table, older, newer = HostTable(LEASE), Voice(), Voice()
    hear(table, a_word(), older)

    assert hear(table, a_word(), newer) is older
    table.hang_up(ANTON, older)
    assert anton(table).view.connected, "the end of a stream that was replaced hangs nobody up"


def test_a_second_live_boot_is_refused() -> None:
    table, voice = HostTable(LEASE), Voice()
    hear(table, a_word(), voice)

    with pytest.raises(HostIdInUse):
        hear(table, a_word(a_host(boot_id="boot-2")), Voice(), at=1.0)
    assert anton(table).host.boot_id == "boot-1"
    assert anton(table).voice is voice


def test_a_new_boot_is_taken_once_the_older_one_s_stream_has_ended() -> None:
    table, voice = HostTable(LEASE), Voice()
    hear(table, a_word(), voice)
    table.hang_up(ANTON, voice)
    hear(table, a_word(a_host(boot_id="boot-2")), Voice(), at=1.0)

    assert anton(table).host.boot_id == "boot-2"
    assert anton(table).join_time == A_MOMENT + timedelta(seconds=1)


def test_a_new_boot_is_taken_when_the_older_one_is_silent_for_its_lease() -> None:
    table = HostTable(LEASE)
    hear(table, a_word(), Voice())
    hear(table, a_word(a_host(boot_id="boot-2")), Voice(), at=LEASE)

    assert anton(table).host.boot_id == "boot-2"


def test_what_a_new_boot_does_not_know_is_forgotten() -> None:
    table, voice = HostTable(LEASE), Voice()
    hear(table, a_word(None, ("j1", 1), ("j2", 1)), voice)
    table.hang_up(ANTON, voice)
    hear(table, a_word(a_host(boot_id="boot-2"), ("j1", 1)), Voice(), held=(("j1", 1), ("j2", 1)))

    assert anton(table).view.forgotten == {("j2", 1)}


def test_what_a_new_boot_finds_again_is_not_forgotten() -> None:
    table, voice, second = HostTable(LEASE), Voice(), Voice()
    hear(table, a_word(), voice)
    table.hang_up(ANTON, voice)
    hear(table, a_word(a_host(boot_id="boot-2")), second, held=(("j1", 1),))
    hear(table, a_word(a_host(boot_id="boot-2"), ("j1", 1)), second, held=(("j1", 1),))

    assert anton(table).view.forgotten == frozenset()


def test_a_host_that_was_never_heard_of_has_forgotten_nothing() -> None:
    """After a restart of the scheduler: the order may never have reached it, and is sent again."""
    table = HostTable(LEASE)
    hear(table, a_word(), Voice(), held=(("j1", 1),))

    assert anton(table).view.forgotten == frozenset()


def test_an_expected_host_is_up_for_a_lease_and_not_connected() -> None:
    table = HostTable(LEASE)
    joined = A_MOMENT - timedelta(days=1)
    table.expect(a_host(), join_time=joined, heard_time=A_MOMENT, now_seconds=100.0)

    assert not anton(table).view.connected
    assert table.next_loss() == 100.0 + LEASE
    hear(table, a_word(), Voice(), at=101.0)
    assert anton(table).join_time == joined, "the same boot has not joined anew"


def test_a_restart_gives_every_host_a_full_lease() -> None:
    table = HostTable(LEASE)
    hear(table, a_word(), Voice())
    table.restart(now_seconds=1000.0)

    assert table.lose_silent(now_seconds=1000.0 + LEASE - 1) == []
    assert len(table.lose_silent(now_seconds=1000.0 + LEASE)) == 1


def test_a_host_that_has_left_is_removed() -> None:
    table = HostTable(LEASE)
    hear(table, a_word(), Voice())
    table.remove(ANTON)
    table.remove(ANTON)

    assert table.all() == ()


def test_hanging_up_for_a_host_that_is_gone_changes_nothing() -> None:
    table = HostTable(LEASE)
    table.hang_up(ANTON, Voice())

    assert table.all() == ()
