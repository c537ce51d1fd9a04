"""Figures that tests measure on their way, for RELIABILITY.md.

A test calls `record`; `make reliability-report` names the file that the figures go to in FAULT_FIGURES, gathers them
and writes the page. Without that variable nothing is written, so that a test may always record.

The page sums figures up by their name. These names are known, with the numbers that belong to each; any other is shown
as it is:

| name            | numbers                                                                             |
|-----------------|-------------------------------------------------------------------------------------|
| `jobs`          | `acked`, `lost`, `kills`, `models_missing`, `models_double`                         |
| `recovery`      | `leases`: until the job runs again, one number or a list; `lease_seconds` of one    |
| `take_over`     | `seconds`: of each take-over by another scheduler; `max_seconds`, `lease_seconds`   |
| `work_repeated` | `steps`: taken twice, at most in any attempt; `interval`: steps between checkpoints |
| `bit_equal`     | `equal`, `of`: resumed jobs whose result has the bytes of an uninterrupted one      |
| `simulator`     | `histories`, `steps`                                                                |
| `teeth`         | `caught`, `of`: safeties taken out, and seen to be missed                           |
| `failpoints`    | `survived`, `of`                                                                    |
| `syscalls`      | `survived`, `of`: crash points of the sweep                                         |
| `watch`         | `events`, `missed`, `restarts`                                                      |
| `power_cut`     | `acked`, `survived`, and `what`: of which disk                                      |
"""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

Number = float | int | str
# Not HEADWAY_...: a service that a test starts would refuse them as settings that it does not know.
FIGURES_VARIABLE = "FAULT_FIGURES"
SEED_VARIABLE = "FAULT_SEED"
_DEFAULT_SEED = 4


class Figure(BaseModel):
    """One line of the file.

    Attributes:
        row: of the fault matrix, such as `F20`.
        name: see the module.
        test: the test that measured it.
        seed: of the run.
        time: when it was measured, UTC.
        numbers: what was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    name: str
    test: str
    seed: int
    time: datetime
    numbers: dict[str, int | float | str | list[float]]

    def number(self, name: str) -> float:
        """One of the numbers; 0 when it was not told."""
        found = self.numbers.get(name, 0)
        return float(found) if isinstance(found, int | float) else 0.0

    def series(self, name: str) -> list[float]:
        """One of the numbers that may be many."""
        found = self.numbers.get(name, [])
        return found if isinstance(found, list) else [float(found)]


def seed() -> int:
    """The seed of this run: what is drawn at random is drawn from it, and the page names it."""
    return int(os.environ.get(SEED_VARIABLE, _DEFAULT_SEED))


def record(*, row: str, name: str, **numbers: Number | Sequence[float]) -> None:
    """Keep a figure for the page; does nothing in a run that writes none.

    Args:
        row: of the fault matrix, such as `F20`.
        name: one of those above, or another.
        numbers: what was measured.
    """
    target = os.environ.get(FIGURES_VARIABLE, "")
    if not target:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" (")[0]
    told: dict[str, int | float | str | list[float]] = {
        key: value if isinstance(value, int | float | str) else [float(number) for number in value]
        for key, value in numbers.items()
    }
    figure = Figure(row=row, name=name, test=test, seed=seed(), time=datetime.now(UTC), numbers=told)
    # One write of one line: processes that run tests side by side append to the same file.
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, (figure.model_dump_json() + "\n").encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Figure]:
    """Every figure of a run, in the order of the tests' names."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    figures = [Figure.model_validate(json.loads(line)) for line in lines]
    return sorted(figures, key=lambda figure: (figure.name, figure.row, figure.test))
