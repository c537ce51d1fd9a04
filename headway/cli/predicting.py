"""What `headway models predict` does: brings rows to a model, and its answers back."""

import asyncio
import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import print_table, say
from headway.cli.view.output import as_dict, print_raw
from headway.cli.view.predictions import drift_lines, predictions_table
from headway.client import HeadwayClient
from headway.client.rows import RowsToAnswer
from headway.contract.limits import PREDICT_ROWS_MAX_BYTES
from headway.v1.models_service_pb2 import PredictResponse

_STDIN = Path("-")
_TEXT_SUFFIXES = frozenset({"", ".csv", ".tsv", ".txt"})


class AnswerOutput(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for.

    Attributes:
        model: the model, its version, or a job.
        file: of rows; `-` for stdin; None for a dataset.
        dataset: of rows; empty for a file.
        sheet: of an Excel file; empty for the first.
        imputes: whether columns that the rows lack count as absent.
        output: the form of what is printed.
        to: where all answers are written as CSV; None for nowhere.
    """

    model: str
    file: Path | None
    dataset: str
    sheet: str
    imputes: bool
    output: AnswerOutput
    to: Path | None


async def predict(client: HeadwayClient, asked: Asked) -> None:
    """Ask and show."""
    with TemporaryDirectory(prefix="headway-") as folder:
        rows = await _rows(client, asked, Path(folder))
        response = await client.models.predict(asked.model, rows, impute_missing_columns=asked.imputes)
        for line in drift_lines(response.drift):
            say(line, "yellow")
        if asked.to is not None:
            await _save(client, response, asked.to)
            say(f"{response.num_rows} answers of {response.model}", "dim")
            print_raw(str(asked.to))
        elif asked.output is AnswerOutput.CSV:
            path = Path(folder, "predictions.csv")
            await _save(client, response, path)
            await asyncio.to_thread(_print_file, path)
        else:
            _show(response, asked.output)


async def _rows(client: HeadwayClient, asked: Asked, folder: Path) -> RowsToAnswer:
    """The rows: as text where they are few, else as a dataset."""
    if asked.file is None:
        return RowsToAnswer.of_dataset(asked.dataset, sheet_name=asked.sheet)
    file = asked.file
    if file == _STDIN:
        file = folder / "rows.csv"
        await asyncio.to_thread(_keep_stdin, file)
    size_bytes = (await asyncio.to_thread(file.stat)).st_size
    if size_bytes <= PREDICT_ROWS_MAX_BYTES and file.suffix.lower() in _TEXT_SUFFIXES:
        return RowsToAnswer.of_csv(await asyncio.to_thread(_text_of, file))
    with TransferBar() as bar:
        dataset = await client.datasets.upload(file, on_progress=bar.show)
    say(f"{file.name} is taken as {dataset.name}, version {dataset.version}", "dim")
    return RowsToAnswer.of_dataset(dataset.name, version=dataset.version, sheet_name=asked.sheet)


def _keep_stdin(file: Path) -> None:
    file.write_bytes(sys.stdin.buffer.read())


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8; save it as UTF-8") from None


async def _save(client: HeadwayClient, response: PredictResponse, path: Path) -> None:
    with TransferBar() as bar:
        await client.models.save_predictions(response, path, on_progress=bar.show)


def _print_file(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as lines:
        for line in lines:
            sys.stdout.write(line)
    sys.stdout.flush()


def _show(response: PredictResponse, output: AnswerOutput) -> None:
    if output is AnswerOutput.JSON:
        print_raw(json.dumps(as_dict(response), indent=2))
    elif response.predictions:
        print_table(predictions_table(response))
    if not response.predictions:
        say(f"{response.num_rows} answers are too many to show: write them into a file with --to FILE", "yellow")
