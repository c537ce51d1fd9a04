"""What every recipe promises to the executor. A new recipe joins by one entry in RECIPES."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from headway.contract.kinds import INTERNAL_KINDS, kind_of
from headway.contract.manifest import Manifest
from headway.contract.recipes import Recipe
from headway.testing.toy_recipe import ToySpec
from headway.testing.toy_recipe import make_recipe as make_toy
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.attempt_runs import an_input, an_order, failed, finished, run
from tests.distillations import a_distillation, a_teacher, teacher_inputs
from tests.real_tables import write_table
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import Finished, InputFile, Progress, Stopped
from trainer_host.executor import Outcome
from trainer_host.recipes.registry import BUILT_IN
from trainer_host.recipes.tabular_distill.recipe import make_recipe as make_tabular_distill
from trainer_host.recipes.tabular_train.recipe import make_recipe as make_tabular_train
from trainer_host.reports import MemoryReport

PICKLE_ENDINGS = {".pt", ".pth", ".pkl", ".pickle", ".bin", ".joblib", ".npy", ".npz", ".ckpt"}
PHASES = ("LOADING_DATA", "TRAINING", "EVALUATING", "EXPORTING")


@dataclass(frozen=True)
class Case:
    make: Callable[[], Recipe]
    spec: Callable[[int], JobSpec]
    """The spec of a small training with a seed."""
    bad_spec: JobSpec
    table: str = ""
    result_file: str = ""
    """The file whose bytes the seed decides."""
    has_teacher: bool = False


def tabular_spec(seed: int) -> JobSpec:
    return JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=3, random_seed=seed))


RECIPES = {
    "tabular_train": Case(
        make=make_tabular_train,
        spec=tabular_spec,
        bad_spec=JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=501)),
        table="iris",
        result_file="model.safetensors",
    ),
    "tabular_distill": Case(
        make=make_tabular_distill,
        spec=lambda seed: a_distillation({"random_seed": seed}, mixup_ratio=1),
        bad_spec=a_distillation({"epochs": 501}),
        table="iris",
        result_file="model.safetensors",
        has_teacher=True,
    ),
    "toy": Case(
        make=make_toy,
        spec=lambda seed: ToySpec(seed=seed, num_steps=5).job_spec(),
        bad_spec=ToySpec(fail_at_step=0, fail_class="USER_INPUT").job_spec(),
        result_file="toy.json",
    ),
}


@pytest.fixture(params=RECIPES)
def case(request: pytest.FixtureRequest) -> Case:
    return RECIPES[str(request.param)]


def train(
    case: Case,
    folder: Path,
    *,
    seed: int = 1,
    report: MemoryReport | None = None,
    token: CancellationToken | None = None,
) -> Outcome:
    order = an_order(folder / "work", case.spec(seed), inputs=inputs_of(case, folder))
    return run(order, report=report, token=token)


def inputs_of(case: Case, folder: Path) -> tuple[InputFile, ...]:
    """The files that its jobs name."""
    folder.mkdir(parents=True, exist_ok=True)
    if not case.table:
        return ()
    table = write_table(case.table, folder)
    teachers = [a_teacher(folder / "teacher", table)] if case.has_teacher else []
    return (an_input(table), *teacher_inputs(*teachers))


def test_every_built_in_recipe_is_tested_here() -> None:
    """But for `infer`, which trains nothing: tests/unit/trainer_host/recipes/infer."""
    assert set(BUILT_IN) <= set(RECIPES) | INTERNAL_KINDS


def test_a_recipe_is_of_the_kind_of_its_jobs(case: Case) -> None:
    assert case.make().kind == kind_of(case.spec(1))


def test_the_needs_are_within_what_the_executor_takes(case: Case) -> None:
    needs = case.make().needs(case.spec(7))
    assert needs.seed == 7
    assert needs.device in {"auto", "cpu", "cuda"}
    assert needs.num_threads >= 1


def test_warming_up_can_be_repeated(case: Case) -> None:
    recipe = case.make()
    recipe.warm_up()
    recipe.warm_up()


def test_a_small_training_ends_with_a_bundle_and_finite_figures(case: Case, tmp_path: Path) -> None:
    outcome = finished(train(case, tmp_path))

    manifest = Manifest.model_validate_json((Path(outcome.bundle_dir) / "manifest.json").read_bytes())
    listed = {artifact.path for artifact in manifest.artifacts}
    assert listed | {"manifest.json"} == {path.name for path in Path(outcome.bundle_dir).iterdir()}
    assert case.result_file in listed
    assert outcome.summary.task
    assert outcome.summary.headline_metric
    assert all(value == value and abs(value) != float("inf") for value in outcome.summary.metrics.values())  # noqa: PLR0124
    assert outcome.summary.num_steps > 0


def test_a_bundle_holds_no_pickle(case: Case, tmp_path: Path) -> None:
    outcome = finished(train(case, tmp_path))
    for path in Path(outcome.bundle_dir).iterdir():
        assert path.suffix not in PICKLE_ENDINGS
        assert path.read_bytes()[:2] not in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"}


def result_of(case: Case, outcome: Finished) -> bytes:
    return (Path(outcome.bundle_dir) / case.result_file).read_bytes()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(case: Case, tmp_path: Path) -> None:
    first, again, other = (
        result_of(case, finished(train(case, tmp_path / str(place), seed=seed))) for place, seed in enumerate((1, 1, 2))
    )
    assert first == again
    assert first != other


def test_phases_come_in_order(case: Case, tmp_path: Path) -> None:
    report = MemoryReport()
    train(case, tmp_path, report=report)

    phases = list(dict.fromkeys(progress.phase for progress in report.progresses))
    assert phases == [phase for phase in PHASES if phase in phases]
    assert "TRAINING" in phases


class StopInTraining(MemoryReport):
    """Wishes the attempt to stop as soon as it reports a step of training."""

    def __init__(self, token: CancellationToken) -> None:
        super().__init__()
        self._token = token

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if progress.phase == "TRAINING" and progress.step:
            self._token.cancel("CANCEL")


def test_a_recipe_stops_when_it_is_told_to(case: Case, tmp_path: Path) -> None:
    token = CancellationToken()
    report = StopInTraining(token)

    outcome = train(case, tmp_path, token=token, report=report)

    assert isinstance(outcome, Stopped), outcome
    assert outcome.step >= 1
    assert not any("Writing the result" in line.message for line in report.lines)


def test_a_spec_that_is_wrong_is_the_users_fault(case: Case, tmp_path: Path) -> None:
    outcome = failed(run(an_order(tmp_path / "work", case.bad_spec, inputs=inputs_of(case, tmp_path))))
    assert outcome.failure_class == "USER_INPUT"
    assert outcome.reason.isupper()
