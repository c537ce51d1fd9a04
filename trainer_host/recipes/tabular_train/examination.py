"""What is found out about a model beside its figures: what each column is worth to it, and whether trees do better."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.recipes import AttemptContext
from headway.contract.specs.tabular_train import TabularTrain
from trainer_host.recipes.tabular_train.comparison import is_clearly_better
from trainer_host.recipes.tabular_train.ensembles import as_trees_take_them, boosted_answers, boosted_rows
from trainer_host.recipes.tabular_train.evaluation import BoostedTree, Metrics
from trainer_host.recipes.tabular_train.importance import (
    ColumnImportance,
    column_importances,
    importance_rows,
    repeats,
)
from trainer_host.recipes.tabular_train.limits import BOOSTED_EARLY_STOPPING_ROWS
from trainer_host.recipes.tabular_train.loop import Rows, mean_loss, outputs_of
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import JudgingLoss
from trainer_host.recipes.tabular_train.preparation import Data, Tensors, targets_of
from trainer_host.recipes.tabular_train.preprocess import Preprocess

Positions = NDArray[np.int64]


class Examination:
    """Looks at one model, in phase EVALUATING; all that it does takes seconds at most."""

    def __init__(
        self, context: AttemptContext, spec: TabularTrain, preprocess: Preprocess, data: Data, tensors: Tensors
    ) -> None:
        self._context = context
        self._spec = spec
        self._preprocess = preprocess
        self._data = data
        self._tensors = tensors

    def extend(self, metrics: Metrics, model: TabularModel, loss: JudgingLoss) -> Metrics:
        """The metrics with importances and, unless the spec says otherwise, the boosted tree.

        Raises:
            StopRequested: the attempt has been told to stop.
        """
        found = metrics.model_copy(update={"importances": self._importances(model, loss, metrics.num_parameters)})
        if not self._spec.boosted_tree_baseline:
            return found
        tree = self._boosted_tree(model)
        if tree is None:
            return found
        name = metrics.test_metric_name
        if tree.is_clearly_better:
            self._context.warn(
                f"A boosted tree reaches {name} {tree.metric_value:.4g} on the same test rows, the model "
                f"{metrics.test_metric_value:.4g}: a simpler model is the better one for this table. A patience of "
                "16 with number_embedding PIECEWISE_LINEAR may close the gap."
            )
        scalars = {**metrics.scalars, f"boosted_tree_{name}": tree.metric_value}
        return found.model_copy(update={"boosted_tree": tree, "scalars": scalars})

    def _importances(self, model: TabularModel, loss: JudgingLoss, num_parameters: int) -> tuple[ColumnImportance, ...]:
        preprocess, context = self._preprocess, self._context
        num_rows = importance_rows(self._data.split.test.size)
        num_repeats = repeats(num_rows, len(preprocess.blocks), num_parameters)
        if not num_repeats:
            context.detail("importances are left out: the model and the table are too large for them")
            return ()
        targets = self._tensors.test.targets[:num_rows]

        def loss_of(features: NDArray[np.float32]) -> float:
            embedded = torch.from_numpy(preprocess.embed(features)).to(context.device)
            return mean_loss(model, Rows(embedded, targets), loss)

        return column_importances(
            self._plain(self._data.split.test[:num_rows]),
            preprocess.blocks,
            loss_of,
            num_repeats=num_repeats,
            seed=self._spec.random_seed,
            check_stop=context.check_stop,
        )

    def _boosted_tree(self, model: TabularModel) -> BoostedTree | None:
        data, preprocess = self._data, self._preprocess
        rows = self._rows_to_boost()
        targets = as_trees_take_them(targets_of(preprocess, data.labels))
        if np.unique(targets[rows]).size < 2:
            return None
        answers = boosted_answers(
            self._plain(rows),
            targets[rows],
            self._plain(data.split.test),
            num_classes=len(data.labels.classes),
            seed=self._spec.random_seed,
            check_stop=self._context.check_stop,
        )
        outputs = outputs_of(model, self._tensors.test.features).cpu().numpy()
        truth = targets[data.split.test]
        if data.labels.task == "classification":
            errors = (answers != truth).astype(np.float64)
            own_errors = (outputs.argmax(axis=1) != truth).astype(np.float64)
            value = float((answers == truth).mean())
        else:
            errors = (answers - truth) ** 2
            own_errors = (outputs[:, 0].astype(np.float64) - truth) ** 2
            value = math.sqrt(float(errors.mean())) * preprocess.target.scale
        is_better = is_clearly_better(errors, own_errors)
        return BoostedTree(metric_value=value, num_rows=rows.size, is_clearly_better=is_better)

    def _rows_to_boost(self) -> Positions:
        """The training rows, or as many of them as can be looked at in some seconds."""
        labels, rows = self._data.labels, self._data.split.train
        limit = boosted_rows(sum(map(len, self._preprocess.blocks.values())), len(labels.classes))
        if rows.size > limit:
            rows = np.sort(np.random.default_rng(self._spec.random_seed).permutation(rows)[:limit])
        if labels.task == "classification" and rows.size > BOOSTED_EARLY_STOPPING_ROWS:
            # The library holds out rows of each class from there on, and cannot do so with a class of one row.
            counts = np.bincount(labels.indices[rows], minlength=len(labels.classes))
            rows = rows[counts[labels.indices[rows]] > 1]
        return rows

    def _plain(self, rows: Positions) -> NDArray[np.float32]:
        return self._preprocess.plain_features(self._data.table.take(rows))
