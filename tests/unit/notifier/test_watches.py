"""Which jobs the owner follows closely."""

from notifier.watches import MAX_JOBS, Watches

NONE = Watches(is_watching_all=False)
ALL = Watches(is_watching_all=True)


def test_only_what_was_asked_for_is_watched() -> None:
    watches = NONE.watch("a")
    assert watches.is_watched("a")
    assert not watches.is_watched("b")
    assert not watches.unwatch("a").is_watched("a")


def test_all_are_watched_but_those_that_are_not_wanted() -> None:
    watches = ALL.unwatch("a")
    assert not watches.is_watched("a")
    assert watches.is_watched("b")
    assert watches.watch("a").is_watched("a")
    assert watches.watch_all(True).is_watched("a")  # A new wish for all means all.


def test_to_watch_all_no_more_keeps_those_asked_for_one_by_one() -> None:
    watches = ALL.watch("a").watch_all(False)
    assert (watches.is_watched("a"), watches.is_watched("b")) == (True, False)


def test_the_lists_are_bounded_and_the_oldest_wish_goes_first() -> None:
    watches = NONE
    for number in range(MAX_JOBS + 1):
        watches = watches.watch(str(number))
    assert len(watches.watched) == MAX_JOBS
    assert (watches.is_watched("0"), watches.is_watched("1")) == (False, True)
    assert watches.watch("1").watched[-1] == "1"  # A wish said again is a new one.


def test_an_ended_job_leaves_nothing() -> None:
    assert NONE.watch("a").forget("a") == NONE
    assert ALL.unwatch("a").forget("a") == ALL
