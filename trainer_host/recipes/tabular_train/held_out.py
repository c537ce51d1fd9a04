"""Which rows of which table a model did not learn from, kept in its bundle: who learns from the model tests on them."""

import base64
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainer_host.recipes.tabular_train.split import Split


class HeldOutRows(BaseModel):
    """The split of a table, two bits a row: a third of a megabyte for a million rows.

    The rows themselves, and not the seed that drew them: another release may draw otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table_digest: str
    """`sha256:...` of the table's file."""
    num_rows: int = Field(ge=0)
    """Rows that have a target, in the order of the file; what the bits count."""
    test: str
    """Base64 of a bit a row, the first row's the highest of the first byte: 1 where only the final figures saw it."""
    validation: str
    """The same for rows that chose the best epoch."""

    @classmethod
    def of(cls, table_digest: str, split: Split) -> Self:
        """What to keep of a split."""
        num_rows = split.train.size + split.validation.size + split.test.size
        return cls(
            table_digest=table_digest,
            num_rows=num_rows,
            test=_to_bits(split.test, num_rows),
            validation=_to_bits(split.validation, num_rows),
        )

    @model_validator(mode="after")
    def _bits_are_those_of_the_rows(self) -> Self:
        _packed(self.test, self.num_rows)
        _packed(self.validation, self.num_rows)
        return self

    def split(self) -> Split:
        """The split again."""
        is_test, is_validation = _from_bits(self.test, self.num_rows), _from_bits(self.validation, self.num_rows)
        return Split(
            train=np.flatnonzero(~(is_test | is_validation)),
            validation=np.flatnonzero(is_validation),
            test=np.flatnonzero(is_test),
        )


def _to_bits(rows: NDArray[np.int64], num_rows: int) -> str:
    is_in = np.zeros(num_rows, dtype=np.bool_)
    is_in[rows] = True
    return base64.b64encode(np.packbits(is_in).tobytes()).decode("ascii")


def _from_bits(text: str, num_rows: int) -> NDArray[np.bool_]:
    return np.unpackbits(_packed(text, num_rows), count=num_rows).astype(np.bool_)


def _packed(text: str, num_rows: int) -> NDArray[np.uint8]:
    packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if packed.size != -(-num_rows // 8):
        raise ValueError(f"{packed.size} bytes are not one bit for each of {num_rows} rows")
    return packed
