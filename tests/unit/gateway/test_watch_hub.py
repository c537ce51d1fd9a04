"""Mailboxes of watchers: the newest only, nobody waits for anybody, nothing leaks."""

import pytest

from gateway.projection.rows import JobSeen
from gateway.watch_hub import PROGRESS_KEPT, WatchHub
from headway.contract.errors import ServiceUnavailable, TooManyWatches
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_EVALUATING,
    ATTEMPT_PHASE_STARTING,
    ATTEMPT_PHASE_TRAINING,
    Progress,
)
from tests.unit.gateway.builders import a_record, seen

RECORD = a_record()
JOB = RECORD.job.name.rpartition("/")[2]


def training(step: int, attempt: int = 1) -> Progress:
    return Progress(attempt=attempt, phase=ATTEMPT_PHASE_TRAINING, step=step)


def test_a_watcher_gets_the_newest_record_only() -> None:
    hub = WatchHub()
    with hub.watching(JOB, "key") as mailbox:
        hub.saw(seen(RECORD, 1))
        hub.saw(seen(RECORD, 2))
        revision, _ = mailbox.take()
        assert revision is not None
        assert revision.number == 2
        assert mailbox.take() == (None, None)


def test_an_older_record_never_replaces_a_newer_one() -> None:
    hub = WatchHub()
    with hub.watching(JOB, "key") as mailbox:
        hub.saw(seen(RECORD, 2))
        hub.saw(seen(RECORD, 1))
        revision, _ = mailbox.take()
        assert revision is not None
        assert revision.number == 2


def test_a_watcher_hears_of_its_own_job_only() -> None:
    hub = WatchHub()
    with hub.watching(JOB, "key") as mailbox:
        hub.saw(seen(a_record(), 1))
        hub.saw(JobSeen(JOB, 2, None, b""))
        assert not mailbox.changed.is_set()


def test_progress_that_was_not_read_is_replaced_by_newer() -> None:
    hub = WatchHub()
    with hub.watching(JOB, "key") as mailbox:
        hub.saw_progress(JOB, training(1))
        hub.saw_progress(JOB, training(2))
        assert mailbox.take() == (None, training(2))


@pytest.mark.parametrize(
    ("known", "late"),
    [
        (training(5), training(4)),
        (training(1, attempt=2), training(9, attempt=1)),
        (Progress(attempt=1, phase=ATTEMPT_PHASE_EVALUATING, step=5), training(5)),
        (training(1), Progress(attempt=1, phase=ATTEMPT_PHASE_STARTING)),
    ],
)
def test_late_progress_never_goes_back(known: Progress, late: Progress) -> None:
    hub = WatchHub()
    hub.saw_progress(JOB, known)
    hub.saw_progress(JOB, late)
    assert hub.progress_of(JOB) == known


def test_the_progress_of_very_many_jobs_is_bounded() -> None:
    hub = WatchHub()
    for number in range(PROGRESS_KEPT + 10):
        hub.saw_progress(f"j{number}", training(1))
    assert hub.progress_of("j0") is None
    assert hub.progress_of(f"j{PROGRESS_KEPT + 9}") is not None


def test_a_key_may_have_so_many_watches_and_no_more_e7() -> None:
    hub = WatchHub(per_key=2)
    with hub.watching(JOB, "key"), hub.watching(JOB, "key"):
        with pytest.raises(TooManyWatches) as caught, hub.watching(JOB, "key"):
            pass
        assert caught.value.metadata["limit"] == "2"
        with hub.watching(JOB, "another key"):
            assert hub.num_watches == 3
    with hub.watching(JOB, "key"):
        assert hub.num_watches == 1


def test_a_watch_that_ends_leaves_nothing_behind() -> None:
    hub = WatchHub()
    for _ in range(3):
        with pytest.raises(RuntimeError), hub.watching(JOB, "key"):
            raise RuntimeError
    assert hub.num_watches == 0
    assert hub._mailboxes == {}
    assert hub._num_by_key == {}


async def test_closing_tells_every_watcher_and_those_that_come_later_p33() -> None:
    hub = WatchHub()
    with hub.watching(JOB, "key") as early:
        await hub.close()
        with hub.watching(JOB, "key") as late:
            for mailbox in (early, late):
                assert mailbox.changed.is_set()
                with pytest.raises(ServiceUnavailable):
                    mailbox.take()
