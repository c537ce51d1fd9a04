"""A column of texts, each different one kept once: a number a row that says which.

A million rows of five colours are 4 MB so; as a list of Python's texts they would be 8 MB, and each use a loop.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_host.recipes.tabular_train.cells import MISSING_TEXTS

ABSENT = -1
"""The code of an absent value; numpy takes it for the last place, which `spread` makes use of."""


class CodeBook(dict[str, int]):
    """The code of each cell seen, as it stands in the file; one that is new gets the next code."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        """By code, without the white space around them."""

    def __missing__(self, cell: str) -> int:
        """The code of a cell that was not seen before."""
        word = cell.strip()
        if word.lower() in MISSING_TEXTS:
            code = ABSENT
        elif word != cell:
            code = self[word]
        else:
            code = len(self.words)
            self.words.append(word)
        self[cell] = code
        return code


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of texts, some of them absent; iterated over, a text or None for each row.

    Attributes:
        codes: of each row the position of its text in `words`, or ABSENT.
        words: different texts, in the order in which the file has them. After `take` some may be in no row.
    """

    codes: NDArray[np.int32]
    words: Sequence[str]

    @classmethod
    def of(cls, cells: Iterable[str | None]) -> "Texts":
        """The column of some cells as they stand in a file; None is absent, and so is what `is_missing`."""
        book = CodeBook()
        codes = array("i", (ABSENT if cell is None else book[cell] for cell in cells))
        return cls(np.array(codes, dtype=np.int32), book.words)

    @classmethod
    def absent(cls, num_rows: int) -> "Texts":
        """A column without any value."""
        return cls(np.full(num_rows, ABSENT, dtype=np.int32), ())

    def __len__(self) -> int:
        """Rows."""
        return self.codes.size

    def __iter__(self) -> Iterator[str | None]:
        """The text of each row; None where it is absent."""
        words = (*self.words, None)
        return (words[code] for code in self.codes.tolist())

    @property
    def is_absent(self) -> NDArray[np.bool_]:
        """Of each row, whether it has no value."""
        missing: NDArray[np.bool_] = self.codes == ABSENT
        return missing

    def take(self, rows: NDArray[np.int64]) -> "Texts":
        """The column of some rows, in the order given."""
        return Texts(self.codes[rows], self.words)

    def counts(self) -> NDArray[np.int64]:
        """Of each word, in how many rows it is."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words)).astype(np.int64)

    def present(self) -> list[str]:
        """The words that are in any row, in the order of `words`."""
        return [self.words[code] for code in np.flatnonzero(self.counts()).tolist()]

    def spread(self, of_words: NDArray[np.float64], absent: float) -> NDArray[np.float64]:
        """A value for each row, from one (or a line of them) for each word.

        Args:
            of_words: words, or words x values.
            absent: for rows without a text.
        """
        last = np.full((1, *of_words.shape[1:]), absent)
        return np.concatenate([of_words, last])[self.codes]

    def without(self, unwanted: NDArray[np.bool_]) -> "Texts":
        """The column with some words made absent. Args: unwanted: of each word, whether it goes."""
        kept = np.append(np.where(unwanted, ABSENT, np.arange(len(self.words))), ABSENT).astype(np.int32)
        return Texts(kept[self.codes], self.words)
