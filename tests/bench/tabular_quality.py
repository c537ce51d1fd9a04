"""Test metrics of tabular_train beside scikit-learn's network and boosted trees, on six real tables and five seeds."""

import asyncio
import json
import os
import sys
from statistics import mean, stdev

from tests.bench.quality_runs import MLP, REGRESSIONS, SETTINGS, TREE
from tests.bench.report import Row

TABLES = ("breast_cancer", "wine", "digits", "diabetes", "fair", "randhie")
TIMED = {"breast_cancer": 60, "digits": 40, "randhie": 3}
"""Tables whose training is timed, and the epochs."""
SEEDS = ("0", "1", "2", "3", "4")
DEFAULTS = "mlp_dense, defaults"
ADVISED = tuple(name for name in SETTINGS if name != DEFAULTS)

Figures = dict[str, dict[str, float]]


async def measure() -> list[Row]:
    """A row a table with every model's mean, then how long training takes."""
    rows = [_row(name, json.loads(await _run(name, *SEEDS))) for name in TABLES]
    return rows + [await _time_row(name, epochs) for name, epochs in TIMED.items()]


def _row(name: str, by_seed: Figures) -> Row:
    is_error = name in REGRESSIONS
    means = {model: mean(figures[model] for figures in by_seed.values()) for model in (*SETTINGS, MLP, TREE)}
    choose = min if is_error else max
    best = choose(ADVISED, key=means.__getitem__)
    gain = (means[MLP] - means[best]) if is_error else (means[best] - means[MLP])
    spread = stdev(figures[best] - figures[MLP] for figures in by_seed.values())
    places = 3 if is_error else 4
    ours = ", ".join(f"{model} {means[model]:.{places}f}" for model in (*ADVISED, DEFAULTS))
    theirs = f"{MLP} {means[MLP]:.{places}f}, {TREE} {means[TREE]:.{places}f}"
    return Row(
        f"{name}, test {'RMSE' if is_error else 'accuracy'}, mean of {len(by_seed)} seeds",
        ours,
        theirs,
        f"{best} better by {gain:.{places}f}, deviation {spread:.{places}f}",
        "not worse than the MLP",
        gain >= 0,
    )


async def _time_row(name: str, epochs: int) -> Row:
    pairs: list[tuple[float, float]] = [(ours, theirs) for ours, theirs in json.loads(await _run(name, f"t{epochs}"))]
    ours, theirs = (sorted(times)[len(pairs) // 2] for times in zip(*pairs, strict=True))
    return Row(
        f"tabular_train, {name}, {epochs} epochs",
        f"{ours:.2f} s",
        f"{MLP} with the same layers, rows and batches: {theirs:.2f} s",
        f"{ours / theirs:.2f}",
        "at most 1.0",
        ours <= theirs,
    )


async def _run(*arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.quality_runs",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        # As a trainer host's child has it; scikit-learn reads it too.
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    printed, _ = await process.communicate()
    return printed
