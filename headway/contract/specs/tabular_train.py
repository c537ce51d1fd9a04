"""The spec of kind `tabular_train`: fields, defaults and bounds, in the order in which they are checked.

Each `check_*` function is one step of the documented chain and returns every violation of its step. `resolve` runs them
all, for the recipe, which gets a spec that the gateway has admitted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headway.contract.errors import (
    InvalidArgument,
    InvalidColumns,
    ModelTooLarge,
    ModeNotPossible,
    UnknownMode,
    Violation,
)
from headway.contract.errors import echo as echo_value
from headway.contract.ids import check_model_id
from headway.contract.limits import COLUMN_NAME_MAX_CHARACTERS, COLUMNS_NAMED_MAX, MODEL_PARAMETERS_MAX
from headway.contract.specs.number_bounds import Bound, closed, not_finite, out_of_bounds, raise_out_of_range
from headway.v1.job_specs_pb2 import (
    NUMBER_EMBEDDING_NONE,
    NUMBER_EMBEDDING_UNSPECIFIED,
    TABULAR_TASK_AUTO,
    TABULAR_TASK_REGRESSION,
    TABULAR_TASK_UNSPECIFIED,
    NumberEmbedding,
    TabularTask,
    TabularTrainSpec,
)

MLP_DENSE = "mlp_dense"
LINEAR = "linear_glm_baseline"
TABRESNET = "tabresnet"
IMBALANCE_AWARE = "imbalance_aware"
CALIBRATED = "calibrated_classifier"
TREE_TEACHER = "tree_teacher_distillation"
AVAILABLE_MODES = (MLP_DENSE, LINEAR, TABRESNET, IMBALANCE_AWARE, CALIBRATED, TREE_TEACHER)
"""Every mode that there is."""
CLASSIFYING_MODES = frozenset({IMBALANCE_AWARE, CALIBRATED})
"""Modes that make no sense for a regression: class weights, and a report on calibration."""
MODE_ALIASES = {"mlp": MLP_DENSE}
DEVICES = ("auto", "cpu", "cuda")
SEED_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class TabularTrain:
    """An admitted spec with every default filled in.

    Attributes:
        target_column: the column to predict.
        sheet_name: sheet of an Excel file; empty means the first.
        task: AUTO, CLASSIFICATION or REGRESSION.
        device: `auto`, `cpu` or `cuda`.
        exclude_columns: columns left out of the features.
        date_columns: columns replaced by calendar features.
        test_size: share of rows held out, 0 < x < 1.
        epochs: passes over the training rows, 1-500.
        batch_size: rows a step, 1-200.
        learning_rate: 0 < x <= 1.
        training_mode: one of AVAILABLE_MODES.
        hidden_dim: width of a hidden layer, 8-500.
        num_hidden_layers: 1-15.
        dropout: 0-0.9.
        random_seed: 0 to 2^32-1.
        save_model: whether the result is registered.
        model_id: where; empty means an id made from the job's.
        patience: epochs without a better validation loss after which training stops, 1-500; None means never.
        number_embedding: NONE or PIECEWISE_LINEAR.
        boosted_tree_baseline: whether a boosted tree is trained beside the model, to compare.
    """

    target_column: str
    sheet_name: str
    task: "TabularTask.ValueType"
    device: str
    exclude_columns: tuple[str, ...]
    date_columns: tuple[str, ...]
    test_size: float
    epochs: int
    batch_size: int
    learning_rate: float
    training_mode: str
    hidden_dim: int
    num_hidden_layers: int
    dropout: float
    random_seed: int
    save_model: bool
    model_id: str
    patience: int | None
    number_embedding: "NumberEmbedding.ValueType"
    boosted_tree_baseline: bool


TEST_SIZE = Bound("test_size", 0.2, "above 0 and below 1", lambda value: 0 < value < 1, lambda _: 0.2)
EPOCHS = closed("epochs", 500, low=1, high=500)
BATCH_SIZE = closed("batch_size", 64, low=1, high=200)
LEARNING_RATE = Bound("learning_rate", 0.001, "above 0 and at most 1", lambda value: 0 < value <= 1, lambda _: 0.001)
RANDOM_SEED = closed("random_seed", 42, low=0, high=SEED_MAX)
HIDDEN_DIM = closed("hidden_dim", 128, low=8, high=500)
NUM_HIDDEN_LAYERS = closed("num_hidden_layers", 2, low=1, high=15)
DROPOUT = closed("dropout", 0.1, low=0, high=0.9)
PATIENCE = closed("patience", 16, low=1, high=500)
"""The default is only what is suggested: an absent patience never stops a training."""

NUMBERS = (TEST_SIZE, EPOCHS, BATCH_SIZE, LEARNING_RATE, HIDDEN_DIM, NUM_HIDDEN_LAYERS, DROPOUT, RANDOM_SEED, PATIENCE)
COMMON_BOUNDS = (TEST_SIZE, EPOCHS, BATCH_SIZE, LEARNING_RATE, RANDOM_SEED, PATIENCE)
HIDDEN_BOUNDS = (HIDDEN_DIM, NUM_HIDDEN_LAYERS, DROPOUT)
_NUMBER_FIELDS = frozenset(bound.field for bound in NUMBERS)


def given_numbers(spec: TabularTrainSpec) -> dict[str, float]:
    """The number fields that the caller chose, by name; a default is always in range."""
    # In one call: asking the message for each of the fields takes longer than all the checks of their values.
    return {field.name: value for field, value in spec.ListFields() if field.name in _NUMBER_FIELDS}


def columns_of(entries: Sequence[str]) -> tuple[str, ...]:
    """Column names as given: a list, or a single entry that holds several, separated by commas.

    Parts of a single entry are trimmed and empty ones dropped.
    """
    parts = entries[0].split(",") if len(entries) == 1 else list(entries)
    return tuple(part.strip() for part in parts if part.strip())


def normalise_mode(text: str) -> str:
    """Trim, lower-case and resolve an alias; an absent mode is mlp_dense. Always succeeds."""
    mode = text.strip().lower() or MLP_DENSE
    return MODE_ALIASES.get(mode, mode)


def check_model(spec: TabularTrainSpec, prefix: str) -> None:
    """Step "save_model and model_id": raises InvalidModelId when a given id is malformed."""
    if spec.model_id:
        check_model_id(f"{prefix}.model_id", spec.model_id)


def check_feature_columns(
    spec: TabularTrainSpec, prefix: str, known: Sequence[str] | None, *, needs_target: bool = True
) -> None:
    """Step "feature columns": target, exclude_columns and date_columns.

    Args:
        spec: as the caller wrote it.
        prefix: path of the spec, for field paths.
        known: the table's columns, or None where they are not known before the job runs.
        needs_target: whether the target must be named; a student has its teacher's when it is not.

    Raises:
        InvalidColumns: with every violation.
    """
    violations = _target_violations(spec, prefix, known) if needs_target or spec.target_column else []
    excluded, dates = columns_of(spec.exclude_columns), columns_of(spec.date_columns)
    violations += _column_violations(f"{prefix}.exclude_columns", excluded, spec.target_column, known)
    violations += _column_violations(f"{prefix}.date_columns", dates, spec.target_column, known)
    both = sorted(set(excluded) & set(dates))
    if both:
        violations.append(
            _column(f"{prefix}.date_columns", f"{echo_value(both[0])} is in exclude_columns too", "each column once")
        )
    left_out = {spec.target_column, *excluded}
    if not violations and known is not None and all(column in left_out for column in known):
        violations.append(_column(f"{prefix}.exclude_columns", "no feature is left", "leave at least one column in"))
    if violations:
        raise InvalidColumns("the columns named do not fit the table", violations=violations)


def _target_violations(spec: TabularTrainSpec, prefix: str, known: Sequence[str] | None) -> list[Violation]:
    field = f"{prefix}.target_column"
    if not spec.target_column:
        return [_column(field, "a target column is required", _names(known))]
    if len(spec.target_column) > COLUMN_NAME_MAX_CHARACTERS:
        return [_column(field, "the name is too long", f"at most {COLUMN_NAME_MAX_CHARACTERS} characters")]
    if known is not None and spec.target_column not in known:
        return [_column(field, f"{echo_value(spec.target_column)} is not in the table", _names(known))]
    return []


def _column_violations(field: str, columns: Sequence[str], target: str, known: Sequence[str] | None) -> list[Violation]:
    if not columns:
        return []
    if len(columns) > COLUMNS_NAMED_MAX:
        return [_column(field, "too many columns", f"at most {COLUMNS_NAMED_MAX}")]
    violations = []
    # Both may be ten thousand long: no look-up may walk over them.
    table = None if known is None else frozenset(known)
    for column, times in Counter(columns).items():
        if times > 1:
            violations.append(_column(field, f"{echo_value(column)} is named twice", "each column once"))
        if column == target:
            violations.append(_column(field, f"{echo_value(column)} is the target", "columns other than the target"))
        elif table is not None and column not in table:
            violations.append(_column(field, f"{echo_value(column)} is not in the table", _names(known)))
    return violations


def _names(known: Sequence[str] | None) -> str:
    return "a column of the table" if known is None else ", ".join(echo_value(name) for name in list(known)[:20])


def _column(field: str, message: str, allowed: str) -> Violation:
    return Violation(field, InvalidColumns.reason, message, allowed)


def check_numbers(spec: TabularTrainSpec, prefix: str) -> None:
    """Step "numbers": every number is finite; raises OutOfRange with every violation."""
    raise_out_of_range(list(not_finite(given_numbers(spec), NUMBERS, prefix)))


def check_common_bounds(spec: TabularTrainSpec, prefix: str) -> None:
    """Step "common bounds": the numbers of COMMON_BOUNDS, in this order; raises OutOfRange with every violation."""
    raise_out_of_range(list(out_of_bounds(given_numbers(spec), COMMON_BOUNDS, prefix)))


def check_mode(spec: TabularTrainSpec, prefix: str) -> None:
    """Step "mode allowed".

    Raises:
        UnknownMode: with the list of those that there are.
        ModeNotPossible: a mode for classes, and a regression is asked for.
    """
    mode = known_mode(spec, prefix, AVAILABLE_MODES)
    if mode in CLASSIFYING_MODES and spec.task == TABULAR_TASK_REGRESSION:
        possible = [one for one in AVAILABLE_MODES if one not in CLASSIFYING_MODES]
        raise mode_not_possible(f"{mode} is for classification, and the task is a regression", prefix, possible)


def known_mode(spec: TabularTrainSpec, prefix: str, allowed: Sequence[str]) -> str:
    """The mode after aliases are resolved.

    Args:
        spec: as the caller wrote it.
        prefix: path of the spec, for field paths.
        allowed: the modes to name in an error.

    Raises:
        UnknownMode: it is no mode at all.
    """
    mode = normalise_mode(spec.training_mode)
    if mode in AVAILABLE_MODES:
        return mode
    message = f"{echo_value(mode)} is not a training mode"
    violation = Violation(f"{prefix}.training_mode", UnknownMode.reason, message, ", ".join(allowed), MLP_DENSE)
    raise UnknownMode(message, violations=[violation])


def mode_not_possible(message: str, prefix: str, possible: Sequence[str]) -> ModeNotPossible:
    """The error for a mode that there is, but not for such a job; names those that are possible."""
    field = f"{prefix}.training_mode"
    return ModeNotPossible(
        message, violations=[Violation(field, ModeNotPossible.reason, message, ", ".join(possible), MLP_DENSE)]
    )


def check_hidden_config(spec: TabularTrainSpec, prefix: str) -> None:
    """Step "hidden config": width, depth, dropout and size; skipped for linear_glm_baseline.

    Raises:
        OutOfRange: with every violation of the bounds.
        ModelTooLarge: when the hidden layers alone exceed the limit of parameters.
    """
    if normalise_mode(spec.training_mode) == LINEAR:
        return
    given = given_numbers(spec)
    raise_out_of_range(list(out_of_bounds(given, HIDDEN_BOUNDS, prefix)))
    hidden = int(given.get("hidden_dim", HIDDEN_DIM.default))
    layers = int(given.get("num_hidden_layers", NUM_HIDDEN_LAYERS.default))
    parameters = hidden * hidden * (layers - 1)
    if parameters > MODEL_PARAMETERS_MAX:
        message = f"the hidden layers have {parameters} parameters"
        allowed = f"at most {MODEL_PARAMETERS_MAX} parameters"
        raise ModelTooLarge(
            message, violations=[Violation(f"{prefix}.hidden_dim", ModelTooLarge.reason, message, allowed)]
        )


def check_device(spec: TabularTrainSpec, prefix: str) -> None:
    """Part of "numbers": raises InvalidArgument unless the device is auto, cpu or cuda."""
    if spec.device in ("", *DEVICES):
        return
    message = f"{echo_value(spec.device)} is not a device"
    raise InvalidArgument(
        message,
        violations=[Violation(f"{prefix}.device", InvalidArgument.reason, message, ", ".join(DEVICES), "auto")],
    )


def resolve(spec: TabularTrainSpec, prefix: str = "tabular_train") -> TabularTrain:
    """Check a spec and fill in its defaults.

    Args:
        spec: as the caller wrote it.
        prefix: path of the spec, for the field paths of violations.

    Raises:
        InvalidArgument: a subclass, with all violations of the first step that fails, in the documented order.

    Source:
        seeds/000 train chain, steps 3 to 9.
    """
    check_model(spec, prefix)
    check_feature_columns(spec, prefix, None)
    check_numbers(spec, prefix)
    check_device(spec, prefix)
    check_common_bounds(spec, prefix)
    check_mode(spec, prefix)
    check_hidden_config(spec, prefix)
    return with_defaults(spec)


def with_defaults(spec: TabularTrainSpec) -> TabularTrain:
    """A spec that was checked before, with its defaults filled in; checks nothing."""
    given = given_numbers(spec)
    return TabularTrain(
        target_column=spec.target_column,
        sheet_name=spec.sheet_name,
        task=TABULAR_TASK_AUTO if spec.task == TABULAR_TASK_UNSPECIFIED else spec.task,
        device=spec.device or "auto",
        exclude_columns=columns_of(spec.exclude_columns),
        date_columns=columns_of(spec.date_columns),
        test_size=given.get("test_size", TEST_SIZE.default),
        epochs=int(given.get("epochs", EPOCHS.default)),
        batch_size=int(given.get("batch_size", BATCH_SIZE.default)),
        learning_rate=given.get("learning_rate", LEARNING_RATE.default),
        training_mode=normalise_mode(spec.training_mode),
        hidden_dim=int(given.get("hidden_dim", HIDDEN_DIM.default)),
        num_hidden_layers=int(given.get("num_hidden_layers", NUM_HIDDEN_LAYERS.default)),
        dropout=given.get("dropout", DROPOUT.default),
        random_seed=int(given.get("random_seed", RANDOM_SEED.default)),
        save_model=spec.save_model if spec.HasField("save_model") else True,
        model_id=spec.model_id,
        patience=int(given["patience"]) if "patience" in given else None,
        number_embedding=(
            NUMBER_EMBEDDING_NONE if spec.number_embedding == NUMBER_EMBEDDING_UNSPECIFIED else spec.number_embedding
        ),
        boosted_tree_baseline=spec.boosted_tree_baseline if spec.HasField("boosted_tree_baseline") else True,
    )


def num_parameters(training: TabularTrain, *, input_dim: int, output_dim: int) -> int:
    """Trainable numbers of the model: weights, biases and batch normalisation, in Python's unbounded integers.

    Args:
        training: the resolved spec.
        input_dim: features after one-hot and date expansion.
        output_dim: classes, or 1 for regression.
    """
    if training.training_mode == LINEAR:
        return (input_dim + 1) * output_dim
    hidden = training.hidden_dim
    norm, square, output = 2 * hidden, (hidden + 1) * hidden, (hidden + 1) * output_dim
    if training.training_mode == TABRESNET:
        # A projection, blocks of a normalisation and two linear layers, a last normalisation.
        return (input_dim + 1) * hidden + training.num_hidden_layers * (norm + 2 * square) + norm + output
    return (input_dim + 1) * hidden + norm + (training.num_hidden_layers - 1) * (square + norm) + output
