import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainer_host.recipes.tabular_train.held_out import HeldOutRows
from trainer_host.recipes.tabular_train.split import split_rows

DIGEST = "sha256:" + "0" * 64


@given(st.integers(4, 300), st.floats(0.05, 0.9), st.integers(0, 1000))
def test_a_split_survives_its_file(num_rows: int, test_size: float, seed: int) -> None:
    split = split_rows(num_rows, np.zeros(0, dtype=np.int64), test_size=test_size, seed=seed)

    written = HeldOutRows.of(DIGEST, split).model_dump_json()
    read = HeldOutRows.model_validate_json(written)

    again = read.split()
    assert (read.table_digest, read.num_rows) == (DIGEST, num_rows)
    assert again.train.tolist() == split.train.tolist()
    assert again.validation.tolist() == split.validation.tolist()
    assert again.test.tolist() == split.test.tolist()


def test_the_first_row_is_the_highest_bit() -> None:
    read = HeldOutRows(table_digest=DIGEST, num_rows=9, test="gIA=", validation="AAA=")
    assert read.split().test.tolist() == [0, 8]


@pytest.mark.parametrize("bits", ["", "AAAA", "not base64!"])
def test_bits_of_another_number_of_rows_are_refused(bits: str) -> None:
    with pytest.raises(ValidationError):
        HeldOutRows(table_digest=DIGEST, num_rows=9, test=bits, validation="AAA=")
    with pytest.raises(ValidationError):
        HeldOutRows(table_digest=DIGEST, num_rows=9, test="AAA=", validation=bits)
