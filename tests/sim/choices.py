"""Where the choices of a history come from: every choice is a number below a limit."""

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Choices(Protocol):
    """Where choices come from."""

    def below(self, limit: int) -> int:
        """A number from 0 up to and without the limit."""
        ...


class Seeded:
    """Choices of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)


class Listed:
    """Choices of a list; the first thing, once it is at its end."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = list(reversed(numbers))

    def below(self, limit: int) -> int:
        return self._numbers.pop() % limit if self._numbers else 0


def one_of(choices: Choices, things: Sequence[T]) -> T | None:
    return things[choices.below(len(things))] if things else None
