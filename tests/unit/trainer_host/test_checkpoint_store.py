import os
from pathlib import Path

from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_files import PART_PREFIX, name_of
from trainer_host.checkpoint_store import JOBS_KEPT, CheckpointStore


def a_store(root: Path) -> CheckpointStore:
    store = CheckpointStore(root / "checkpoints")
    store.prepare()
    return store


def save(store: CheckpointStore, key: AttemptKey, step: int) -> Path:
    folder = store.folder_of(key) / name_of(step, key.attempt)
    folder.mkdir()
    (folder / "checkpoint.json").touch()
    return folder


def test_the_newest_comes_first_whatever_the_number_of_digits(tmp_path: Path) -> None:
    store, key = a_store(tmp_path), a_key()
    made = [save(store, key, step) for step in (9, 1000, 200)]
    assert store.newest_first(key) == [made[1], made[2], made[0]]


def test_attempts_of_one_job_share_a_folder_and_jobs_do_not(tmp_path: Path) -> None:
    store, key = a_store(tmp_path), a_key()
    made = save(store, key, 1)
    assert store.newest_first(AttemptKey(key.job, 7)) == [made]
    assert store.newest_first(a_key()) == []


def test_the_newest_two_are_kept_and_what_is_on_its_way(tmp_path: Path) -> None:
    store, key = a_store(tmp_path), a_key()
    made = [save(store, key, step) for step in (1, 2, 3, 4)]
    store.prune(key, keep=(made[0],))
    assert store.newest_first(key) == [made[3], made[2], made[0]]
    store.prune(key)
    assert store.newest_first(key) == [made[3], made[2]]


def test_what_a_crash_left_half_written_is_swept_and_never_offered(tmp_path: Path) -> None:
    """F17."""
    store, key = a_store(tmp_path), a_key()
    part = store.folder_of(key) / f"{PART_PREFIX}{name_of(5, 1)}"
    part.mkdir()
    made = save(store, key, 4)
    assert store.newest_first(key) == [made]
    store.prepare()
    assert not part.exists()
    assert made.exists()


def test_what_a_killed_child_was_writing_is_swept_without_waiting_for_the_next_start(tmp_path: Path) -> None:
    """F20: a stale attempt is killed in the middle of a save. What another attempt saves or fetches stays."""
    store, key = a_store(tmp_path), a_key()
    folder = store.folder_of(key)
    mine, others, fetched = (
        folder / f"{PART_PREFIX}{name}" for name in (name_of(5, 1), name_of(6, 2), f"fetched-{name_of(5, 1)}")
    )
    for part in (mine, others, fetched):
        part.mkdir()
    store.sweep(key)
    assert [part.exists() for part in (mine, others, fetched)] == [False, True, True]
    store.remove(key)
    store.sweep(key)


def test_jobs_that_never_come_back_do_not_fill_the_disk(tmp_path: Path) -> None:
    """The longest unused go first; at a start, and whenever another job comes."""
    store = a_store(tmp_path)
    keys = [a_key() for _ in range(JOBS_KEPT)]
    for age, key in enumerate(keys):
        folder = save(store, key, 1).parent
        os.utime(folder, (1000 + age, 1000 + age))
    assert all(store.newest_first(key) for key in keys)

    new = save(store, a_key(), 1)
    assert [bool(store.newest_first(key)) for key in keys] == [False] + [True] * (JOBS_KEPT - 1)
    (tmp_path / "checkpoints" / "p~another").mkdir()
    store.prepare()
    assert [bool(store.newest_first(key)) for key in keys] == [False] * 2 + [True] * (JOBS_KEPT - 2)
    assert new.exists()


def test_removing_a_job_twice_does_no_harm(tmp_path: Path) -> None:
    store, key = a_store(tmp_path), a_key()
    save(store, key, 1)
    store.remove(key)
    store.remove(key)
    assert store.newest_first(key) == []
