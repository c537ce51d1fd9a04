import math

import numpy as np

from trainer_host.recipes.tabular_train.texts import Texts

COLOURS = Texts.of(["red", " blue", "red", None, "N/A", "blue "])


def test_equal_texts_are_kept_once_without_the_space_around_them() -> None:
    assert list(COLOURS.words) == ["red", "blue"]
    assert COLOURS.codes.tolist() == [0, 1, 0, -1, -1, 1]
    assert list(COLOURS) == ["red", "blue", "red", None, None, "blue"]
    assert len(COLOURS) == 6


def test_what_is_absent_is_told_by_row() -> None:
    assert COLOURS.is_absent.tolist() == [False, False, False, True, True, False]
    assert Texts.absent(2).is_absent.tolist() == [True, True]


def test_rows_are_taken_in_the_order_given() -> None:
    taken = COLOURS.take(np.array([5, 3]))
    assert list(taken) == ["blue", None]
    assert taken.counts().tolist() == [0, 1]
    assert taken.present() == ["blue"], "words of rows that were not taken are not there"


def test_a_value_for_each_word_becomes_one_for_each_row() -> None:
    values = COLOURS.spread(np.array([1.0, 2.0]), math.nan)
    np.testing.assert_array_equal(values, [1, 2, 1, math.nan, math.nan, 2])
    lines = COLOURS.spread(np.array([[1.0, 5.0], [2.0, 6.0]]), 0.0)
    assert lines.tolist() == [[1, 5], [2, 6], [1, 5], [0, 0], [0, 0], [2, 6]]
    assert Texts.absent(2).spread(np.zeros(0), 7.0).tolist() == [7, 7]


def test_words_can_be_made_absent() -> None:
    assert list(COLOURS.without(np.array([True, False]))) == [None, "blue", None, None, None, "blue"]
    assert list(Texts.absent(1).without(np.zeros(0, dtype=np.bool_))) == [None]
