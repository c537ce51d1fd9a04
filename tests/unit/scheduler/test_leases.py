from hypothesis import given
from hypothesis import strategies as st

from scheduler.leases import Lease, LeaseBook

TERM = 15.0


def a_book() -> LeaseBook:
    return LeaseBook(TERM)


def test_a_lease_lasts_one_term_from_its_grant() -> None:
    lease = a_book().grant("j1", 1, "hosts/a", now=100.0)

    assert lease == Lease("j1", 1, "hosts/a", 115.0)
    assert lease.is_live(114.999)
    assert not lease.is_live(115.0)


def test_an_attempt_is_granted_once() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)

    assert book.grant("j1", 1, "hosts/b", now=1.0) is None
    assert book.holder("j1") == Lease("j1", 1, "hosts/a", TERM)


def test_a_newer_attempt_ends_the_lease_of_the_older_one() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)
    book.grant("j1", 2, "hosts/b", now=1.0)

    assert book.ends() == {("j1", 2): 16.0}
    assert not book.renew("j1", 1, "hosts/a", now=2.0)


def test_an_older_attempt_is_not_granted_over_a_newer_one() -> None:
    book = a_book()
    book.grant("j1", 2, "hosts/b", now=0.0)

    assert book.grant("j1", 1, "hosts/a", now=1.0) is None


def test_a_renewal_lasts_one_term_from_the_moment_it_arrives() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)

    assert book.renew("j1", 1, "hosts/a", now=10.0)
    assert book.ends() == {("j1", 1): 25.0}


def test_only_the_holder_renews() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)

    assert not book.renew("j1", 1, "hosts/b", now=1.0)
    assert not book.renew("j1", 2, "hosts/a", now=1.0)
    assert not book.renew("j2", 1, "hosts/a", now=1.0)
    assert book.ends() == {("j1", 1): TERM}


def test_a_revoked_lease_is_gone() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)
    book.revoke("j1")
    book.revoke("j1")

    assert book.holder("j1") is None


def test_a_restart_gives_every_lease_a_full_term() -> None:
    book = a_book()
    book.grant("j1", 1, "hosts/a", now=0.0)
    book.grant("j2", 4, "hosts/b", now=7.0)
    book.restart(now=1000.0)

    assert book.ends() == {("j1", 1): 1015.0, ("j2", 4): 1015.0}


_steps = st.lists(
    st.tuples(
        st.sampled_from(["grant", "renew", "revoke", "restart"]),
        st.sampled_from(["j1", "j2"]),
        st.integers(1, 4),
        st.sampled_from(["hosts/a", "hosts/b"]),
        st.floats(0.0, 10.0),
    ),
    max_size=40,
)


@given(_steps)
def test_no_job_ever_has_two_leases_and_none_moves_to_another_host_within_an_attempt(
    steps: list[tuple[str, str, int, str, float]],
) -> None:
    book, now = a_book(), 0.0
    hosts: dict[tuple[str, int], str] = {}
    for what, job_id, attempt, host, wait in steps:
        now += wait
        before = book.holder(job_id)
        match what:
            case "grant":
                book.grant(job_id, attempt, host, now=now)
            case "renew":
                book.renew(job_id, attempt, host, now=now)
            case "revoke":
                book.revoke(job_id)
                hosts = {key: value for key, value in hosts.items() if key[0] != job_id}
            case _:
                book.restart(now=now)
        after = book.holder(job_id)
        assert len({key[0] for key in book.ends()}) == len(book.ends())
        if before and after:
            assert after.attempt >= before.attempt, "an attempt number never goes back"
            assert after.end >= before.end or after.attempt > before.attempt, "no step shortens a lease"
        if after:
            assert hosts.setdefault((job_id, after.attempt), after.host) == after.host
