import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer_host.recipes.tabular_train.split import split_rows

NO_CLASSES = np.zeros(0, dtype=np.int64)
class_lists = st.lists(st.integers(0, 5), min_size=4, max_size=400).filter(lambda c: len(set(c)) < len(c))


@given(class_lists, st.floats(0.001, 0.999), st.integers(0, 2**32 - 1))
def test_each_row_is_used_once_and_for_one_thing(classes: list[int], test_size: float, seed: int) -> None:
    split = split_rows(len(classes), np.array(classes), test_size=test_size, seed=seed)

    together = np.concatenate([split.train, split.validation, split.test])
    assert sorted(together.tolist()) == list(range(len(classes)))
    assert split.train.size >= 2
    assert split.test.size >= 1


@given(class_lists, st.floats(0.05, 0.95))
def test_every_class_can_be_learned(classes: list[int], test_size: float) -> None:
    labels = np.array(classes)
    split = split_rows(len(classes), labels, test_size=test_size, seed=1)
    assert set(labels[split.train].tolist()) | set(labels[split.validation].tolist()) == set(classes)


def test_the_test_part_has_the_shares_of_the_whole() -> None:
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    split = split_rows(1000, labels, test_size=0.2, seed=42)

    assert np.bincount(labels[split.test]).tolist() == [100, 60, 40]
    assert np.bincount(labels[split.validation]).tolist() == [40, 24, 16]


def test_numbers_are_split_in_the_share_asked_for() -> None:
    split = split_rows(1000, NO_CLASSES, test_size=0.25, seed=42)
    assert (split.test.size, split.validation.size, split.train.size) == (250, 75, 675)


def test_a_small_table_gives_up_no_rows_for_validation() -> None:
    split = split_rows(120, NO_CLASSES, test_size=0.2, seed=42)
    assert split.validation.size == 0


def test_the_same_seed_splits_alike_and_another_does_not() -> None:
    first, again, other = (split_rows(1000, NO_CLASSES, test_size=0.2, seed=seed) for seed in (1, 1, 2))

    assert first.test.tolist() == again.test.tolist()
    assert first.test.tolist() != other.test.tolist()
