from headway.contract.architectures import Architecture
from headway.contract.specs.tabular_distill import filled_in
from headway.v1.job_specs_pb2 import TabularTrainSpec
from tests.distillations import a_distillation
from trainer_host.recipes.tabular_distill.spec import fields_of_the_teacher, resolve_spec, student_training

TEACHER = Architecture(
    kind="tabular_train",
    mode="mlp_dense",
    input_dim=4,
    output_dim=1,
    hidden_dim=100,
    num_hidden_layers=3,
    dropout=0.2,
    task="regression",
)


def shape_of(**fields: object) -> tuple[int, int, float]:
    spec = a_distillation({"hidden_dim": 77}, **fields)
    training = student_training(filled_in(spec.tabular_distill), TEACHER)
    return training.hidden_dim, training.num_hidden_layers, training.dropout


def test_the_shape_follows_from_the_teachers_unless_it_is_given() -> None:
    assert shape_of() == (50, 2, 0.25)
    assert shape_of(student_hidden_dim=9, student_num_hidden_layers=1, student_dropout=0) == (9, 1, 0)


def test_everything_else_is_as_the_spec_says() -> None:
    spec = resolve_spec(a_distillation({"batch_size": 7, "patience": 4, "random_seed": 3}))
    training = student_training(spec, TEACHER)
    assert (training.batch_size, training.patience, training.random_seed, training.epochs) == (7, 4, 3, 3)


def test_fields_that_mean_nothing_to_a_student_are_found() -> None:
    spec = TabularTrainSpec(target_column="t", dropout=0.5, date_columns=["d"], epochs=3)
    assert fields_of_the_teacher(spec) == ("date_columns", "dropout")
    assert fields_of_the_teacher(TabularTrainSpec(target_column="t", epochs=3)) == ()
