from pathlib import Path

import pytest
import torch

from headway.contract.architectures import Architecture
from headway.contract.recipes import RecipeInput, StopRequested
from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train import limits
from trainer_host.recipes.tabular_train.evaluation import Metrics
from trainer_host.recipes.tabular_train.examination import Examination
from trainer_host.recipes.tabular_train.judging import judge
from trainer_host.recipes.tabular_train.loop import History
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import plain_loss
from trainer_host.recipes.tabular_train.preparation import load, prepare
from trainer_host.recipes.tabular_train.spec import configure_model, resolve_spec


class Case:
    """An untrained linear model of a table, ready to be examined."""

    def __init__(self, table: Path, *, boosted_tree_baseline: bool = True) -> None:
        self.context = SilentContext(
            spec=JobSpec(
                tabular_train=TabularTrainSpec(
                    target_column="target",
                    training_mode="linear_glm_baseline",
                    boosted_tree_baseline=boosted_tree_baseline,
                )
            ),
            inputs={"table": RecipeInput(table, "csv", "table.csv")},
        )
        spec = resolve_spec(self.context.spec)
        data = load(self.context, spec)
        preprocess, tensors = prepare(self.context, spec, data)
        architecture: Architecture = configure_model(spec, preprocess)
        torch.manual_seed(0)
        self.model = TabularModel(architecture)
        self.metrics = judge(self.model, preprocess, data, tensors, History((), 0, 0))
        self.examination = Examination(self.context, spec, preprocess, data, tensors)

    def extend(self) -> Metrics:
        return self.examination.extend(self.metrics, self.model, plain_loss)


@pytest.mark.parametrize(("name", "metric"), [("wine", "accuracy"), ("diabetes", "rmse")])
def test_a_model_that_learned_nothing_is_worse_than_trees_and_its_owner_is_told(
    tmp_path: Path, name: str, metric: str
) -> None:
    case = Case(write_table(name, tmp_path))
    metrics = case.extend()

    assert metrics.boosted_tree is not None
    assert metrics.boosted_tree.is_clearly_better
    assert metrics.scalars[f"boosted_tree_{metric}"] == metrics.boosted_tree.metric_value
    [warning] = case.context.warnings
    assert f"{metrics.boosted_tree.metric_value:.4g}" in warning
    assert f"{metrics.test_metric_value:.4g}" in warning


def test_without_baseline_nothing_is_grown(tmp_path: Path) -> None:
    case = Case(write_table("wine", tmp_path), boosted_tree_baseline=False)
    metrics = case.extend()
    assert metrics.boosted_tree is None
    assert case.context.warnings == []
    assert len(metrics.importances) == 13


def test_a_class_of_one_row_does_not_break_the_baseline_of_a_large_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 10,000 rows the library holds out rows of each class, and fails with a class that has one."""
    monkeypatch.setattr("trainer_host.recipes.tabular_train.examination.BOOSTED_EARLY_STOPPING_ROWS", 50)
    table = tmp_path / "table.csv"
    rows = [f"{i % 17},{'a' if i % 17 > 8 else 'b'}" for i in range(11_000)] + ["3,rare"]
    table.write_text("\n".join(["x,target", *rows]), encoding="utf-8")

    metrics = Case(table).extend()

    assert metrics.boosted_tree is not None
    assert metrics.boosted_tree.num_rows == metrics.num_rows["train"] - 1
    assert metrics.boosted_tree.metric_value > 0.99


def test_a_large_table_is_sampled_for_the_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BOOSTED_LEAST_ROWS", 60)
    monkeypatch.setattr(limits, "BOOSTED_CELLS", 1)
    metrics = Case(write_table("wine", tmp_path)).extend()
    assert metrics.boosted_tree is not None
    assert metrics.boosted_tree.num_rows == 60


def test_importances_of_what_is_too_large_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_host.recipes.tabular_train.importance.IMPORTANCE_OPERATIONS", 10)
    case = Case(write_table("wine", tmp_path))
    assert case.extend().importances == ()
    assert any("too large" in line for line in case.context.details)


def test_a_wish_to_stop_is_seen(tmp_path: Path) -> None:
    case = Case(write_table("wine", tmp_path))
    case.context.checks_until_stop = 3
    with pytest.raises(StopRequested):
        case.extend()
