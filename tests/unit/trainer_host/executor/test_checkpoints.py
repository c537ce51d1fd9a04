import errno
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from headway.testing.toy_recipe import ToySpec, ToyTraining
from tests.attempt_runs import an_executor, an_order, finished, run
from tests.checkpoint_runs import checkpoint_order, run_saving
from trainer_host.cancellation import CancellationToken
from trainer_host.checkpoint_files import PART_PREFIX
from trainer_host.child_messages import CheckpointOrder, Stopped
from trainer_host.executor import Attempt
from trainer_host.reports import MemoryReport


def test_every_byte_is_on_the_disk_before_the_name_and_the_name_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P15, F17: what has a name is whole, after a power cut too."""
    told: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        told.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path)}")
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        told.append(f"rename {target.relative_to(tmp_path)}")
        return rename(path, target)

    class Heard(MemoryReport):
        def saved(self, checkpoint: object) -> None:
            told.append("told")

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    checkpoints = checkpoint_order(tmp_path / "c", interval_steps=2)
    finished(run_saving(tmp_path / "w", ToySpec(num_steps=3).job_spec(), checkpoints, report=Heard()))

    part = f"c/{PART_PREFIX}{2:015d}-1"
    files = {"checkpoint.json", "manifest.json", "random.safetensors", "training/toy.json", "training", "."}
    assert {os.path.normpath(f"{part}/{name}") for name in files} == {one.removeprefix("fsync ") for one in told[:-3]}
    assert told[-3:] == [f"rename c/{2:015d}-1", "fsync c", "told"]


def test_a_recipe_that_keeps_none_says_so_when_it_is_stopped(tmp_path: Path) -> None:
    token = CancellationToken()

    class StopAtOnce(MemoryReport):
        def progress(self, progress: object) -> None:
            token.cancel("PAUSE")

    report = StopAtOnce()
    spec = ToySpec(num_steps=50, step_seconds=0.001, resumable=False).job_spec()
    order = an_order(tmp_path / "w", spec, checkpoints=checkpoint_order(tmp_path / "c"))
    outcome = an_executor().execute(Attempt(order, token), report)

    assert isinstance(outcome, Stopped)
    assert report.checkpoints == []


def test_without_a_folder_nothing_is_saved(tmp_path: Path) -> None:
    report = MemoryReport()
    order = CheckpointOrder(interval_steps=1)
    finished(run_saving(tmp_path / "w", ToySpec(num_steps=9).job_spec(), order, report=report))
    assert report.checkpoints == []


def test_another_number_of_threads_is_told_to_the_owner(tmp_path: Path) -> None:
    """Exact on the same device and threads only: who looks at the result must know."""
    folder = tmp_path / "c"
    report = MemoryReport()
    spec = ToySpec(num_steps=9).job_spec()
    run_saving(tmp_path / "w", spec, checkpoint_order(folder, interval_steps=4), report=report)
    order = an_order(
        tmp_path / "v",
        spec,
        num_threads=3,
        checkpoints=checkpoint_order(folder, Path(report.checkpoints[-1].folder)),
    )

    outcome = finished(run(order))
    assert outcome.summary.warnings == (
        "The checkpoint was saved with threads 1 (now 3): the weights may differ in their last bits.",
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_called_so_whoever_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """F24."""

    def full(_training: ToyTraining, _folder: Path) -> None:
        raise error

    monkeypatch.setattr(ToyTraining, "save", full)
    report = MemoryReport()
    checkpoints = checkpoint_order(tmp_path / "c", interval_steps=4)
    finished(run_saving(tmp_path / "w", ToySpec(num_steps=5).job_spec(), checkpoints, report=report))
    assert [line.message for line in report.lines if line.level == "warning"] == [
        "the checkpoint of step 4 is skipped: the host's disk is full; training goes on"
    ]
    assert list((tmp_path / "c").iterdir()) == []
