"""What a pulled bundle shows: its loss curves, and predictions made from its files."""

import asyncio
import csv
import math
import sys
from pathlib import Path

import plotext
from pydantic import BaseModel, ConfigDict, TypeAdapter

from headway.contract.errors import InternalError

_PREDICT = "trainer_host.recipes.tabular_train.predict"
_PREDICT_SECONDS = 60.0


class Prediction(BaseModel):
    """One answer of a model.

    Attributes:
        prediction: the class's label, or the number.
        probabilities: by label; empty for a regression.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    prediction: str | float
    probabilities: dict[str, float] = {}


_PREDICTIONS = TypeAdapter(list[Prediction])


def read_history(bundle: Path) -> dict[str, list[tuple[float, float]]]:
    """Loss by epoch, for each curve in `history.csv`; what is not finite is left out."""
    with (bundle / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    curves: dict[str, list[tuple[float, float]]] = {}
    for name in ("train_loss", "validation_loss"):
        points = [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
        curves[name] = [point for point in points if math.isfinite(point[1])]
    return {name: points for name, points in curves.items() if points}


def plot_losses(curves: dict[str, list[tuple[float, float]]], *, width: int, colored: bool) -> str:
    """The curves as text, twelve lines high."""
    figure = plotext.figure
    figure.clear()
    for (name, points), marker in zip(curves.items(), ("braille", "•"), strict=False):
        signal = figure.signal([x for x, _ in points], [y for _, y in points], marker=marker)
        if marker == "braille":
            signal.lines()
        signal.label(name.replace("_", " "))
        figure.draw(signal)
    figure.plot_size(width, 14)
    figure.canvas("default")
    figure.axes(True, pixel="default")
    figure.legend(x=width - 10, ha="right")
    figure.label("epoch")
    text = str(figure.build())
    return text if colored else str(plotext.uncolorize(text))


async def predict(bundle: Path, rows: Path) -> list[Prediction]:
    """Predictions for the rows of a CSV file, made by a process of its own from the bundle's files alone.

    Raises:
        InternalError: it failed; the message is the process's own.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", _PREDICT, str(bundle), str(rows)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PREDICT_SECONDS):
            stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise InternalError(f"predicting failed: {stderr.decode('utf-8', 'replace').strip()}")
    return _PREDICTIONS.validate_json(stdout)
