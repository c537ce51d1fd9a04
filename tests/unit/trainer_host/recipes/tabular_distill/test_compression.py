import pytest

from headway.contract.architectures import Architecture
from trainer_host.recipes.tabular_distill.compression import Compression, saved_percent


def an_architecture(hidden_dim: int, *, layers: int = 1) -> Architecture:
    return Architecture(
        kind="tabular_train",
        mode="mlp_dense",
        input_dim=4,
        output_dim=3,
        hidden_dim=hidden_dim,
        num_hidden_layers=layers,
        task="classification",
        classes=("a", "b", "c"),
    )


def test_like_is_compared_with_like() -> None:
    compression = Compression.of(
        an_architecture(100), an_architecture(10), teacher_size_bytes=8000, student_size_bytes=2000
    )

    # Linear 4 x 100 + 100, batch normalisation 2 x 100, linear 100 x 3 + 3.
    assert compression.teacher_param_count == 1003
    assert compression.student_param_count == 103
    assert (compression.param_saved_count, compression.size_saved_bytes) == (900, 6000)
    assert compression.size_saved_percent == 75
    assert compression.param_saved_percent == pytest.approx(100 * 900 / 1003)
    assert (compression.teacher_input_dim, compression.student_output_dim) == (4, 3)


def test_a_larger_student_saves_less_than_nothing() -> None:
    compression = Compression.of(
        an_architecture(10), an_architecture(100), teacher_size_bytes=2000, student_size_bytes=8000
    )
    assert compression.param_saved_count == -900
    assert (compression.size_saved_bytes, compression.size_saved_percent) == (-6000, -300)


@pytest.mark.parametrize(("teacher", "student"), [(None, 5), (5, None), (None, None)])
def test_a_size_that_is_not_known_leaves_what_follows_from_it_undefined(
    teacher: int | None, student: int | None
) -> None:
    compression = Compression.of(
        an_architecture(10), an_architecture(10), teacher_size_bytes=teacher, student_size_bytes=student
    )
    assert (compression.size_saved_bytes, compression.size_saved_percent) == (None, None)
    assert compression.teacher_model_size_bytes == teacher
    assert {"size_saved_bytes", "size_saved_percent"}.isdisjoint(compression.scalars())
    assert compression.scalars()["param_saved_percent"] == 0


def test_of_nothing_there_is_no_share() -> None:
    assert saved_percent(0, 5) is None
