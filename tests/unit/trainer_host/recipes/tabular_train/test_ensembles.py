import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from headway.contract.recipes import StopRequested
from trainer_host.recipes.tabular_train.ensembles import (
    boosted_answers,
    boosted_iterations,
    boosted_rows,
    grow_teacher,
)

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal(size=(300, 3)).astype(np.float32)
CLASSES = ((FEATURES[:, 0] > 0) ^ (FEATURES[:, 1] > 0)).astype(np.int64)
NUMBERS = (FEATURES[:, 0] * FEATURES[:, 1]).astype(np.float64)


def never() -> None:
    """Nobody wishes to stop."""


def test_boosting_in_parts_answers_as_boosting_in_one_go() -> None:
    answers = boosted_answers(FEATURES[:200], CLASSES[:200], FEATURES[200:], num_classes=2, seed=3, check_stop=never)

    whole = HistGradientBoostingClassifier(random_state=3).fit(FEATURES[:200], CLASSES[:200])
    np.testing.assert_array_equal(answers, whole.predict(FEATURES[200:]))
    assert (answers == CLASSES[200:]).mean() > 0.85, "no linear model gets more than a half of these"


def test_boosting_predicts_numbers() -> None:
    answers = boosted_answers(FEATURES[:200], NUMBERS[:200], FEATURES[200:], num_classes=0, seed=3, check_stop=never)
    assert ((answers - NUMBERS[200:]) ** 2).mean() < 0.5 * NUMBERS[200:].var()


def test_many_classes_get_fewer_iterations_and_fewer_rows() -> None:
    assert [boosted_iterations(count) for count in (0, 2, 3, 10, 1000)] == [100, 100, 100, 50, 10]
    assert boosted_rows(30, 2) == 333_333
    assert boosted_rows(10_000, 1000) == 1_000


def test_a_forest_answers_its_own_rows_by_trees_that_did_not_see_them() -> None:
    noise = GENERATOR.integers(0, 2, 300)
    teacher = grow_teacher(FEATURES, noise, is_classification=True, seed=1, check_stop=never)

    assert teacher.own_answers.shape == (300, 2)
    np.testing.assert_allclose(teacher.own_answers.sum(axis=1), 1)
    seen = (teacher.forest.predict(FEATURES) == noise).mean()
    unseen = (teacher.own_answers.argmax(axis=1) == noise).mean()
    assert seen > 0.8, "it knows its rows by heart"
    assert unseen < 0.65, "and there is nothing to learn"


def test_a_forest_teaches_numbers() -> None:
    teacher = grow_teacher(FEATURES, NUMBERS, is_classification=False, seed=1, check_stop=never)
    assert teacher.own_answers.shape == (300, 1)
    assert np.corrcoef(teacher.own_answers[:, 0], NUMBERS)[0, 1] > 0.7


def test_the_same_seed_grows_the_same_forest() -> None:
    first, second = (
        grow_teacher(FEATURES, CLASSES, is_classification=True, seed=5, check_stop=never).own_answers for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("num_checks", [1, 3])
def test_a_wish_to_stop_is_seen_between_parts(num_checks: int) -> None:
    left = num_checks

    def stop() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise StopRequested("CANCEL")

    with pytest.raises(StopRequested):
        grow_teacher(FEATURES, CLASSES, is_classification=True, seed=5, check_stop=stop)
    left = num_checks
    with pytest.raises(StopRequested):
        boosted_answers(FEATURES, CLASSES, FEATURES, num_classes=2, seed=5, check_stop=stop)
