"""Epochs a second of tabular_train, beside a bare PyTorch loop of the same model, rows and batches."""

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.data import write_breast_cancer, write_digits
from tests.bench.load import median
from tests.bench.report import Row

_EPOCHS = 60
_BAR = 0.95


async def measure() -> list[Row]:
    """A small and a middling table; medians of the ratio pair by pair."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tables = {"breast cancer": write_breast_cancer(folder), "digits": write_digits(folder)}
        return [await _row(name, table) for name, table in tables.items()]


async def _row(name: str, table: Path) -> Row:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.executor_loop", str(table), str(_EPOCHS), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    pairs: list[tuple[float, float]] = [(float(ours), float(bare)) for ours, bare in json.loads(printed)]
    ratio = median([bare / ours for ours, bare in pairs])
    return Row(
        f"tabular_train, {name}, epochs a second",
        f"{_EPOCHS / median([ours for ours, _ in pairs]):.0f}/s",
        f"bare PyTorch loop: {_EPOCHS / median([bare for _, bare in pairs]):.0f}/s",
        f"{ratio:.2f}",
        f"at least {_BAR:g}",
        ratio >= _BAR,
    )
