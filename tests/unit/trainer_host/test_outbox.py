import errno
import os
import shutil
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.v1.jobs_pb2 import Artifact, Bundle
from headway.v1.results_service_pb2 import CommitResultRequest
from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_key import AttemptKey
from trainer_host.outbox import Outbox, OutboxEntry

WEIGHTS = b"weights" * 100


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    made = Outbox(tmp_path / "outbox")
    made.prepare()
    return made


def a_result(tmp_path: Path, key: AttemptKey) -> tuple[CommitResultRequest, Path]:
    bundle_dir = tmp_path / "work" / key.file_name / "bundle"
    (bundle_dir / "deep").mkdir(parents=True)
    (bundle_dir / "deep" / "model.safetensors").write_bytes(WEIGHTS)
    artifact = Artifact(path="deep/model.safetensors", digest=sha256_of(WEIGHTS), size_bytes=len(WEIGHTS))
    bundle = Bundle(digest="sha256:1", artifacts=[artifact])
    return CommitResultRequest(job=key.job, attempt=key.attempt, host="hosts/h", bundle=bundle), bundle_dir


def put(outbox: Outbox, request: CommitResultRequest, bundle_dir: Path) -> OutboxEntry:
    entry = outbox.adopt(request, bundle_dir)
    outbox.seal(entry)
    return entry


def test_a_result_is_found_again_after_a_restart(outbox: Outbox, tmp_path: Path) -> None:
    key = a_key()
    request, bundle_dir = a_result(tmp_path, key)
    outbox.seal(outbox.adopt(request, bundle_dir))
    again = Outbox(tmp_path / "outbox")
    again.prepare()
    [entry] = again.entries()
    assert (entry.key, entry.request) == (key, request)
    assert (entry.bundle_dir / "deep" / "model.safetensors").read_bytes() == WEIGHTS
    assert not bundle_dir.exists()


def test_every_file_and_folder_is_on_the_disk_before_the_result_has_its_name(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11, after a power cut: contents first, then the folders that name them, then the rename, then its folder."""
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(descriptor: int) -> None:
        events.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def noting_replace(path: Path, target: Path) -> Path:
        events.append(f"name {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    key = a_key()
    put(outbox, *a_result(tmp_path, key))
    named = events.index("name commit.pb")
    assert set(events[:named]) == {
        "fsync model.safetensors",
        "fsync deep",
        "fsync bundle",
        "fsync .commit.pb.part",
        f"fsync {key.file_name}",
        # Of the folder's own name.
        "fsync results",
    }
    order = [events.index(f"fsync {name}") for name in ("model.safetensors", "deep", "bundle", key.file_name)]
    assert order == sorted(order)
    assert events[named + 1 :] == [f"fsync {key.file_name}", "fsync results"]


@pytest.mark.parametrize("step", ["fsync_tree", "fsync_path"])
def test_a_full_disk_loses_nothing_and_the_same_call_succeeds_later(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    entry = outbox.adopt(*a_result(tmp_path, a_key()))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"trainer_host.outbox.{step}", full)
        with pytest.raises(OSError, match="No space"):
            outbox.seal(entry)
    outbox.seal(entry)
    assert outbox.entries() == [entry]
    assert (entry.bundle_dir / "deep" / "model.safetensors").read_bytes() == WEIGHTS


def test_what_was_not_sealed_is_swept_at_the_next_start(outbox: Outbox, tmp_path: Path) -> None:
    """After a power cut its files may be torn."""
    sealed = put(outbox, *a_result(tmp_path, a_key()))
    half = outbox.adopt(*a_result(tmp_path, a_key()))
    assert outbox.find(half.key) is None
    outbox.prepare()
    assert outbox.entries() == [sealed]
    assert not half.bundle_dir.exists()


def test_a_result_that_cannot_be_read_is_left_for_a_person(outbox: Outbox, tmp_path: Path) -> None:
    key = a_key()
    entry = put(outbox, *a_result(tmp_path, key))
    (entry.bundle_dir.parent / "commit.pb").write_bytes(b"\xff\xff\xff")
    assert outbox.entries() == []
    assert entry.bundle_dir.exists()


def test_a_result_under_another_name_is_not_delivered(outbox: Outbox, tmp_path: Path) -> None:
    entry = put(outbox, *a_result(tmp_path, a_key()))
    entry.bundle_dir.parent.rename(entry.bundle_dir.parent.with_name(a_key(2).file_name))
    assert outbox.entries() == []


def test_a_removed_result_is_gone_and_removing_it_again_does_no_harm(outbox: Outbox, tmp_path: Path) -> None:
    key = a_key()
    put(outbox, *a_result(tmp_path, key))
    outbox.remove(key)
    outbox.remove(key)
    assert outbox.entries() == []
    assert outbox.find(key) is None
    assert [path.name for path in (tmp_path / "outbox").rglob("*") if path.is_file()] == []


def test_rejected_results_are_kept_for_a_person_but_not_for_ever(outbox: Outbox, tmp_path: Path) -> None:
    keys = [a_key() for _ in range(5)]
    for key in keys:
        put(outbox, *a_result(tmp_path, key))
        outbox.set_aside(key)
    assert outbox.entries() == []
    kept = {path.name for path in (tmp_path / "outbox" / "rejected").iterdir()}
    assert kept == {key.file_name for key in keys[-3:]}


def test_results_are_listed_oldest_first(outbox: Outbox, tmp_path: Path) -> None:
    keys = [a_key() for _ in range(3)]
    for number, key in enumerate(reversed(keys)):
        entry = put(outbox, *a_result(tmp_path, key))
        os.utime(entry.bundle_dir.parent, ns=(number, number))
    assert [entry.key for entry in outbox.entries()] == list(reversed(keys))


def test_a_bundle_from_another_file_system_is_refused_and_kept(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, bundle_dir = a_result(tmp_path, a_key())

    def elsewhere(_path: Path, _target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", elsewhere)
    with pytest.raises(OSError, match="cross-device"):
        outbox.seal(outbox.adopt(request, bundle_dir))
    assert bundle_dir.exists()
    shutil.rmtree(bundle_dir)
