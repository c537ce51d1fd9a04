"""P14, P15, F24, F25: what goes on from a checkpoint ends as what was never interrupted, for every recipe that can."""

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from google.protobuf import json_format

from headway.runtime.blobs.blob_file import digest_of_file
from headway.testing.toy_recipe import ToySpec, ToyTraining
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.attempt_runs import an_input, finished
from tests.checkpoint_runs import StopAfterSaving, StopInTraining, checkpoint_order, run_saving
from tests.distillations import a_distillation, a_teacher, teacher_inputs
from tests.real_tables import write_table
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import CheckpointOrder, InputFile, Stopped, StopReason
from trainer_host.recipes.registry import BUILT_IN
from trainer_host.recipes.tabular_train.loop import TrainingLoop
from trainer_host.recipes.tabular_train.optimizer import Adam
from trainer_host.reports import MemoryReport


@dataclass(frozen=True)
class Case:
    spec: JobSpec
    total_steps: int
    num_steps_an_epoch: int
    results: tuple[str, ...]
    """Files whose bytes must be the same."""
    training: type
    """Whose `num_steps_done` is counted."""
    table: str = ""
    has_teacher: bool = False


def tabular(mode: str, *, dropout: float, **fields: object) -> JobSpec:
    spec = JobSpec(
        tabular_train=TabularTrainSpec(
            target_column="target", epochs=6, batch_size=16, random_seed=5, training_mode=mode, dropout=dropout
        )
    )
    return json_format.ParseDict({"tabular_train": {"boosted_tree_baseline": False, **fields}}, spec)


TABULAR_FILES = ("model.safetensors", "model.json", "preprocess.json", "metrics.json", "history.csv", "loss.svg")
RECIPES = {
    # 569 rows, a fifth for tests, a tenth of the rest for validation: 409 rows are 26 batches.
    "tabular_train": Case(
        tabular("mlp_dense", dropout=0.3), 156, 26, TABULAR_FILES, TrainingLoop, table="breast_cancer"
    ),
    "tabular_train, linear": Case(
        tabular("linear_glm_baseline", dropout=0.0), 156, 26, TABULAR_FILES, TrainingLoop, table="breast_cancer"
    ),
    "tabular_train, taught by a forest": Case(
        tabular(
            "tree_teacher_distillation",
            dropout=0.1,
            patience=6,
            number_embedding="NUMBER_EMBEDDING_PIECEWISE_LINEAR",
            boosted_tree_baseline=True,
        ),
        156,
        26,
        TABULAR_FILES,
        TrainingLoop,
        table="breast_cancer",
    ),
    # Half as many mixtures as rows: 613 rows are 20 batches.
    "tabular_distill": Case(
        a_distillation({"epochs": 3, "batch_size": 32, "boosted_tree_baseline": False}, mixup_ratio=0.5),
        60,
        20,
        TABULAR_FILES,
        TrainingLoop,
        table="breast_cancer",
        has_teacher=True,
    ),
    "toy": Case(ToySpec(num_steps=60).job_spec(), 60, 20, ("toy.json",), ToyTraining),
}


@pytest.fixture(params=RECIPES)
def case(request: pytest.FixtureRequest) -> Case:
    return RECIPES[str(request.param)]


@dataclass
class Runs:
    """Attempts of one job in one folder."""

    case: Case
    root: Path
    inputs: tuple[InputFile, ...]

    @property
    def folder(self) -> Path:
        return self.root / "checkpoints"

    def whole(self) -> dict[str, bytes]:
        """Files of a training that nobody interrupts, and that saves nothing."""
        outcome = finished(run_saving(self.root / "whole", self.case.spec, CheckpointOrder(), inputs=self.inputs))
        return self.files(outcome.bundle_dir)

    def files(self, bundle_dir: str) -> dict[str, bytes]:
        return {path: (Path(bundle_dir) / path).read_bytes() for path in self.case.results}

    def stopped(
        self, step: int, *resume_from: Path, attempt: int = 1, reason: StopReason = "PAUSE"
    ) -> tuple[Stopped, MemoryReport]:
        """Train until a step, and stop there."""
        token = CancellationToken()
        report = StopAfterSaving(token, step, reason)
        checkpoints = checkpoint_order(self.folder, *resume_from, interval_steps=1, interval_seconds=1e9)
        outcome = run_saving(
            self.root / f"attempt-{attempt}",
            self.case.spec,
            checkpoints,
            inputs=self.inputs,
            attempt=attempt,
            report=report,
            token=token,
        )
        assert isinstance(outcome, Stopped), outcome
        return outcome, report

    def resumed(self, *resume_from: Path, attempt: int = 2) -> tuple[dict[str, bytes], MemoryReport]:
        """Train to the end from a checkpoint."""
        report = MemoryReport()
        outcome = run_saving(
            self.root / f"attempt-{attempt}",
            self.case.spec,
            checkpoint_order(self.folder, *resume_from),
            inputs=self.inputs,
            attempt=attempt,
            report=report,
        )
        return self.files(finished(outcome).bundle_dir), report

    def checkpoints(self) -> list[Path]:
        return sorted(self.folder.iterdir(), reverse=True)


def runs_of(case: Case, root: Path) -> Runs:
    if not case.table:
        return Runs(case, root, ())
    table = write_table(case.table, root)
    teachers = [a_teacher(root / "teacher", table)] if case.has_teacher else []
    return Runs(case, root, (an_input(table), *teacher_inputs(*teachers)))


@pytest.fixture
def runs(case: Case, tmp_path: Path) -> Runs:
    return runs_of(case, tmp_path)


def words(report: MemoryReport) -> str:
    return "\n".join(line.message for line in report.lines)


def test_every_built_in_recipe_is_tested_here() -> None:
    without_steps = {"infer"}
    assert set(BUILT_IN) - without_steps <= {case.spec.WhichOneof("kind") for case in RECIPES.values()}


PLACES = ("first step", "middle of an epoch", "between two epochs", "last step")


def step_at(case: Case, place: str) -> int:
    epoch = case.num_steps_an_epoch
    return {"first step": 1, "middle of an epoch": 2 * epoch + 7, "between two epochs": 2 * epoch}.get(
        place, case.total_steps - 1
    )


@pytest.mark.parametrize("place", PLACES)
def test_what_goes_on_ends_as_what_was_never_interrupted(runs: Runs, place: str) -> None:
    """P14: the same bytes in every file, figures and history included."""
    step = step_at(runs.case, place)
    stopped, report = runs.stopped(step)
    assert stopped.step == report.checkpoints[-1].step == step

    files, resumed = runs.resumed(Path(report.checkpoints[-1].folder))

    assert files == runs.whole()
    assert f"Going on from step {step}, which attempt 1 had saved" in words(resumed)


def test_no_step_is_taken_twice(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """P14: with one pause, as many steps in all as without."""
    num_steps = count_steps(runs.case, monkeypatch)
    step = step_at(runs.case, "middle of an epoch")

    runs.stopped(step)
    assert num_steps() == step
    runs.resumed(runs.checkpoints()[0])
    assert num_steps() == runs.case.total_steps
    runs.whole()
    assert num_steps() == 2 * runs.case.total_steps


def count_steps(case: Case, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the optimizer's steps themselves, not what anybody says of them."""
    count = 0
    if case.training is ToyTraining:
        take_step = ToyTraining.take_step

        def toy_step(self: ToyTraining) -> float:
            nonlocal count
            count += 1
            return take_step(self)

        monkeypatch.setattr(ToyTraining, "take_step", toy_step)
        return lambda: count

    step = Adam.step

    def counted_step(self: Adam, gradients: list[torch.Tensor]) -> None:
        nonlocal count
        count += 1
        step(self, gradients)

    monkeypatch.setattr(Adam, "step", counted_step)
    return lambda: count


def test_it_can_be_interrupted_again_and_again(runs: Runs) -> None:
    """P14, F17: three times, each from the last checkpoint."""
    resume_from: tuple[Path, ...] = ()
    for attempt, part in enumerate((0.2, 0.5, 0.8), start=1):
        _, report = runs.stopped(int(part * runs.case.total_steps), *resume_from, attempt=attempt)
        resume_from = (Path(report.checkpoints[-1].folder),)
    assert runs.resumed(*resume_from, attempt=4)[0] == runs.whole()


def test_saving_at_every_step_changes_nothing(runs: Runs) -> None:
    """A checkpoint is looked at, never felt."""
    report = MemoryReport()
    outcome = run_saving(
        runs.root / "saving",
        runs.case.spec,
        checkpoint_order(runs.folder, interval_steps=1),
        inputs=runs.inputs,
        report=report,
    )
    assert runs.files(finished(outcome).bundle_dir) == runs.whole()
    assert [saved.step for saved in report.checkpoints] == list(range(1, runs.case.total_steps))


@pytest.mark.parametrize("reason", ["PAUSE", "CANCEL", "PREEMPT"])
def test_a_stop_saves_what_was_trained(runs: Runs, reason: StopReason) -> None:
    report = StopInTraining(reason)
    run_saving(
        runs.root / "stopped",
        runs.case.spec,
        checkpoint_order(runs.folder),
        inputs=runs.inputs,
        report=report,
        token=report.token,
    )
    [saved] = report.checkpoints
    assert saved.step >= 1
    assert Path(saved.folder) == runs.checkpoints()[0]


def test_a_stale_attempt_saves_nothing(runs: Runs) -> None:
    report = StopInTraining("STALE")
    outcome = run_saving(
        runs.root / "stale",
        runs.case.spec,
        checkpoint_order(runs.folder),
        inputs=runs.inputs,
        report=report,
        token=report.token,
    )
    assert isinstance(outcome, Stopped)
    assert report.checkpoints == []


# P15, F25: what cannot be gone on from is skipped with its reason.


def cut(folder: Path) -> None:
    """As a power cut without an fsync."""
    path = next(path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent.name == "training")
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder: Path) -> None:
    path = folder / "random.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rewrite(folder: Path, name: str, **changes: object) -> None:
    """Change a JSON file, and its entry in the manifest with it: a sound file that says something else."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    manifest = json.loads((folder / "manifest.json").read_text())
    for artifact in manifest["artifacts"]:
        if artifact["path"] == name:
            artifact["digest"] = digest_of_file(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "torn": (cut, "is not as it was written"),
    "bit flipped": (flip, "random.safetensors is not as it was written"),
    "of a later version": (lambda folder: rewrite(folder, "checkpoint.json", format=2), "has format 2"),
    "of another spec": (lambda folder: rewrite(folder, "checkpoint.json", spec_digest="sha256:0"), "of another spec"),
    "of another job": (
        lambda folder: rewrite(folder, "manifest.json", job="projects/p/jobs/other"),
        "it is one of projects/p/jobs/other",
    ),
    "without a manifest": (lambda folder: (folder / "manifest.json").unlink(), "cannot be read"),
    "gone": (shutil.rmtree, "cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_checkpoint_that_is_not_good_is_skipped_for_the_one_before(runs: Runs, damage: str) -> None:
    """P15, F25."""
    spoil, reason = DAMAGES[damage]
    runs.stopped(10)
    newest, before, *_ = runs.checkpoints()
    spoil(newest)

    files, report = runs.resumed(newest, before)

    assert reason in words(report)
    assert "Going on from step 9" in words(report)
    assert files == runs.whole()


@pytest.mark.parametrize("damage", ["torn", "of another spec"])
def test_without_a_good_checkpoint_it_begins_again(runs: Runs, damage: str) -> None:
    """P15: from step 0."""
    runs.stopped(2)
    for folder in runs.checkpoints():
        DAMAGES[damage][0](folder)
    files, report = runs.resumed(*runs.checkpoints())
    assert words(report).count("is skipped") == 2
    assert "Going on" not in words(report)
    assert files == runs.whole()


def test_a_state_of_another_model_changes_nothing_before_it_is_refused(tmp_path: Path) -> None:
    """P15: whole, and of this job by its header; only the recipe can tell."""
    runs = runs_of(RECIPES["tabular_train"], tmp_path)
    other = JobSpec()
    other.CopyFrom(runs.case.spec)
    other.tabular_train.hidden_dim = 32
    Runs(Case(other, 156, 26, TABULAR_FILES, TrainingLoop), tmp_path, runs.inputs).stopped(3)

    files, report = runs.resumed(runs.checkpoints()[0])

    assert "is not one of this model" in words(report)
    assert files == runs.whole()


def test_a_full_disk_costs_a_checkpoint_and_not_the_training(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """F24."""
    num_full = 5

    def fsync_tree(_folder: Path) -> None:
        nonlocal num_full
        if num_full:
            num_full -= 1
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer_host.executor.checkpoints.fsync_tree", fsync_tree)
    report = MemoryReport()
    outcome = run_saving(
        runs.root / "full",
        runs.case.spec,
        checkpoint_order(runs.folder, interval_steps=4),
        inputs=runs.inputs,
        report=report,
    )

    assert runs.files(finished(outcome).bundle_dir) == runs.whole()
    assert words(report).count("is skipped: the host's disk is full") == 5
    assert report.checkpoints[0].step == 24
    assert not [path for path in runs.folder.iterdir() if path.name.startswith(".")]


def test_a_checkpoint_holds_no_pickle(runs: Runs) -> None:
    runs.stopped(3)
    files = [path for path in runs.checkpoints()[0].rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors"}
