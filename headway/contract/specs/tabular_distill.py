"""The spec of kind `tabular_distill`: fields, defaults and bounds, in the order in which they are checked.

Each `check_*` function is one step of the documented chain and returns every violation of its step; the steps that it
shares with `tabular_train` are that module's. `resolve` runs them all, for the recipe.
"""

from dataclasses import dataclass, replace

from headway.contract.errors import FieldRequired, OutOfRange, Violation
from headway.contract.limits import ENSEMBLE_TEACHERS_MAX
from headway.contract.specs.number_bounds import Bound, closed, not_finite, out_of_bounds, raise_out_of_range
from headway.contract.specs.tabular_train import (
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    LINEAR,
    MLP_DENSE,
    NUMBERS,
    PATIENCE,
    RANDOM_SEED,
    TABRESNET,
    TEST_SIZE,
    TabularTrain,
    check_device,
    check_feature_columns,
    check_model,
    given_numbers,
    known_mode,
    mode_not_possible,
    with_defaults,
)
from headway.v1.job_specs_pb2 import TabularDistillSpec

DISTILLABLE_MODES = (MLP_DENSE, LINEAR, TABRESNET)
"""Modes that a student can have."""
EPOCHS_DEFAULT = 60

TEMPERATURE = Bound(
    "temperature", 2.5, "above 0 and at most 20", lambda value: 0 < value <= 20, lambda value: 20 if value > 20 else 2.5
)
ALPHA = closed("alpha", 0.5, low=0, high=1)
STUDENT_HIDDEN_DIM = closed("student_hidden_dim", 64, low=8, high=500)
STUDENT_NUM_HIDDEN_LAYERS = closed("student_num_hidden_layers", 1, low=1, high=15)
STUDENT_DROPOUT = closed("student_dropout", 0.15, low=0, high=0.9)
MIXUP_RATIO = closed("mixup_ratio", 0, low=0, high=8)

_OWN_NUMBERS = (STUDENT_HIDDEN_DIM, STUDENT_NUM_HIDDEN_LAYERS, STUDENT_DROPOUT, TEMPERATURE, ALPHA, MIXUP_RATIO)
_OWN_FIELDS = frozenset(bound.field for bound in _OWN_NUMBERS)
_BOUNDS: tuple[tuple[str, tuple[Bound, ...]], ...] = (
    (".training", (TEST_SIZE, EPOCHS, BATCH_SIZE, LEARNING_RATE)),
    ("", (STUDENT_HIDDEN_DIM, STUDENT_NUM_HIDDEN_LAYERS, STUDENT_DROPOUT)),
    (".training", (RANDOM_SEED,)),
    ("", (TEMPERATURE, ALPHA)),
    (".training", (PATIENCE,)),
    ("", (MIXUP_RATIO,)),
)
"""In the documented order, with the message that has the fields."""


@dataclass(frozen=True, slots=True)
class TabularDistill:
    """An admitted spec with every default filled in that does not depend on the teacher.

    Attributes:
        training: as of `tabular_train`, with 60 epochs when absent. Its hidden fields and number_embedding count for
            nothing: they are derived from the teacher. An empty target_column means the teacher's.
        temperature: softens both outputs, 0 < x <= 20.
        alpha: weight of the loss on true labels, 0-1; the teacher's outputs have 1 - alpha.
        student_hidden_dim: width of a hidden layer, 8-500; None to derive it from the teacher.
        student_num_hidden_layers: 1-15, or None.
        student_dropout: 0-0.9, or None.
        ensemble_teacher_model_ids: further teachers, at most 8.
        mixup_ratio: mixtures of two rows for each row to learn from, 0-8.
        has_unlabelled: whether there is a table of further rows without target, input `unlabelled`.
    """

    training: TabularTrain
    temperature: float
    alpha: float
    student_hidden_dim: int | None
    student_num_hidden_layers: int | None
    student_dropout: float | None
    ensemble_teacher_model_ids: tuple[str, ...]
    mixup_ratio: float
    has_unlabelled: bool

    @property
    def given_shape(self) -> tuple[int | None, int | None, float | None]:
        """Width, depth and dropout of the student as far as they were chosen."""
        return self.student_hidden_dim, self.student_num_hidden_layers, self.student_dropout


def student_shape(
    teacher_hidden: int,
    teacher_layers: int,
    teacher_dropout: float,
    given: tuple[int | None, int | None, float | None],
) -> tuple[int, int, float]:
    """Width, depth and dropout of a student.

    Args:
        teacher_hidden: width of the teacher's hidden layers.
        teacher_layers: number of them.
        teacher_dropout: 0-1.
        given: what the caller chose, each None where not.

    Returns:
        What was chosen; else max(16, teacher // 2), max(1, teacher - 1), min(0.5, teacher + 0.05).

    Source:
        specs/tabular.md, "Student, when absent".
    """
    hidden, layers, dropout = given
    return (
        max(16, teacher_hidden // 2) if hidden is None else hidden,
        max(1, teacher_layers - 1) if layers is None else layers,
        min(0.5, teacher_dropout + 0.05) if dropout is None else dropout,
    )


def check_teacher_named(spec: TabularDistillSpec, prefix: str) -> None:
    """Step "a teacher is named": raises FieldRequired when none of the three ways is used."""
    if spec.teacher_run_id or spec.teacher_model_path or spec.teacher_model_id:
        return
    message = "the job names no teacher"
    allowed = "teacher_run_id, a run of the last 900 s; teacher_model_path, a bundle's folder; or teacher_model_id"
    field = f"{prefix}.teacher_run_id"
    raise FieldRequired(message, violations=[Violation(field, FieldRequired.reason, message, allowed)])


def check_numbers(spec: TabularDistillSpec, prefix: str) -> None:
    """Step "numbers": every number is finite; raises OutOfRange with every violation."""
    raise_out_of_range(
        [
            *not_finite(given_numbers(spec.training), NUMBERS, f"{prefix}.training"),
            *not_finite(own_numbers(spec), _OWN_NUMBERS, prefix),
        ]
    )
    check_device(spec.training, f"{prefix}.training")


def own_numbers(spec: TabularDistillSpec) -> dict[str, float]:
    """The numbers of the distillation itself that the caller chose, by name."""
    return {field.name: value for field, value in spec.ListFields() if field.name in _OWN_FIELDS}


def check_bounds(spec: TabularDistillSpec, prefix: str) -> None:
    """Step "bounds": every number in the documented order, then the number of teachers.

    The hidden fields of `training` are not looked at: they mean nothing to a student.

    Raises:
        OutOfRange: with every violation.
    """
    given = {".training": given_numbers(spec.training), "": own_numbers(spec)}
    violations = [
        violation for part, bounds in _BOUNDS for violation in out_of_bounds(given[part], bounds, f"{prefix}{part}")
    ]
    num_teachers = len(spec.ensemble_teacher_model_ids)
    if num_teachers > ENSEMBLE_TEACHERS_MAX:
        field, allowed = f"{prefix}.ensemble_teacher_model_ids", f"at most {ENSEMBLE_TEACHERS_MAX}"
        violations.append(Violation(field, OutOfRange.reason, f"{num_teachers} further teachers", allowed))
    raise_out_of_range(violations)


def check_mode(spec: TabularDistillSpec, prefix: str) -> None:
    """Step "mode can be distilled".

    Raises:
        UnknownMode: it is no mode at all.
        ModeNotPossible: one that a student cannot have.
    """
    mode = known_mode(spec.training, f"{prefix}.training", DISTILLABLE_MODES)
    if mode not in DISTILLABLE_MODES:
        raise mode_not_possible(f"{mode} cannot be distilled", f"{prefix}.training", DISTILLABLE_MODES)


def resolve(spec: TabularDistillSpec, prefix: str = "tabular_distill") -> TabularDistill:
    """Check a spec and fill in its defaults.

    Args:
        spec: as the caller wrote it.
        prefix: path of the spec, for the field paths of violations.

    Raises:
        InvalidArgument: a subclass, with all violations of the first step that fails, in the documented order.

    Source:
        seeds/000 distill chain, steps 3 to 9.
    """
    check_teacher_named(spec, prefix)
    check_model(spec.training, f"{prefix}.training")
    check_feature_columns(spec.training, f"{prefix}.training", None, needs_target=False)
    check_numbers(spec, prefix)
    check_bounds(spec, prefix)
    check_mode(spec, prefix)
    return filled_in(spec)


def filled_in(spec: TabularDistillSpec) -> TabularDistill:
    """A spec that was checked before, with its defaults filled in; checks nothing."""
    training = with_defaults(spec.training)
    if not spec.training.HasField("epochs"):
        training = replace(training, epochs=EPOCHS_DEFAULT)
    given = own_numbers(spec)
    return TabularDistill(
        training=training,
        temperature=given.get("temperature", TEMPERATURE.default),
        alpha=given.get("alpha", ALPHA.default),
        student_hidden_dim=spec.student_hidden_dim if "student_hidden_dim" in given else None,
        student_num_hidden_layers=spec.student_num_hidden_layers if "student_num_hidden_layers" in given else None,
        student_dropout=given.get("student_dropout"),
        ensemble_teacher_model_ids=tuple(spec.ensemble_teacher_model_ids),
        mixup_ratio=given.get("mixup_ratio", MIXUP_RATIO.default),
        has_unlabelled=bool(spec.unlabelled_data_path or spec.unlabelled_dataset),
    )
