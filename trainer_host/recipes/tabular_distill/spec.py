"""From the spec and the teacher to the complete configuration of a student."""

from dataclasses import replace

from headway.contract.architectures import Architecture
from headway.contract.specs.tabular_distill import TabularDistill, resolve, student_shape
from headway.contract.specs.tabular_train import TabularTrain
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec

_FROM_TEACHER = frozenset(
    {"exclude_columns", "date_columns", "number_embedding", "hidden_dim", "num_hidden_layers", "dropout"}
)


def resolve_spec(spec: JobSpec) -> TabularDistill:
    """The spec with every default, checked again: this host may be of another version than the gateway."""
    return resolve(spec.tabular_distill)


def fields_of_the_teacher(spec: TabularTrainSpec) -> tuple[str, ...]:
    """Fields that were given and count for nothing, since a student has them from its teacher; in the proto's order."""
    return tuple(field.name for field, _ in spec.ListFields() if field.name in _FROM_TEACHER)


def student_training(spec: TabularDistill, teacher: Architecture) -> TabularTrain:
    """How the student is trained: as the spec says; its shape follows from its teacher's where none is given."""
    hidden, layers, dropout = student_shape(
        teacher.hidden_dim, teacher.num_hidden_layers, teacher.dropout, spec.given_shape
    )
    return replace(spec.training, hidden_dim=hidden, num_hidden_layers=layers, dropout=dropout)
