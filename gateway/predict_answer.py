"""From what a host wrote to the answer of Predict. Pure; nothing of the host is relied upon to be small or right."""

import csv
import io
from typing import Final

from google.protobuf import json_format
from pydantic import ValidationError

from headway.contract.errors import PredictionFailed, echo
from headway.contract.limits import ANSWERED_ROWS_MAX, MIB
from headway.contract.predictions import PREDICTIONS_PATH, REPORT_PATH, PredictionReport
from headway.v1.jobs_pb2 import Artifact
from headway.v1.models_service_pb2 import Drift, Prediction, PredictResponse

REPORT_MAX_BYTES: Final = 2 * MIB
ANSWERS_MAX_BYTES: Final = MIB
_RESPONSE_MAX_BYTES: Final = 3 * MIB


def parse_report(content: bytes) -> PredictionReport:
    """Read `drift.json`.

    Raises:
        PredictionFailed: it is not what the recipe `infer` writes.
    """
    try:
        return PredictionReport.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        raise PredictionFailed(f"the host's {REPORT_PATH}: {echo(fault['loc'])}: {fault['msg']}") from None


def travels_along(report: PredictionReport, answers: Artifact) -> bool:
    """Whether the answers fit into the response itself."""
    return report.num_rows <= ANSWERED_ROWS_MAX and answers.size_bytes <= ANSWERS_MAX_BYTES


def response_of(
    report: PredictionReport, answers: Artifact, content: bytes | None, *, job: str, model: str
) -> PredictResponse:
    """The response.

    Args:
        report: what the host says of the answers.
        answers: the file of all answers.
        content: its bytes, when they travel along.
        job: `projects/{project}/jobs/{job}` of the internal job.
        model: what answered.

    Raises:
        PredictionFailed: the files do not fit together.
    """
    response = PredictResponse(
        job=job, model=model, task=report.task, num_rows=report.num_rows, drift=_drift(report), predictions_csv=answers
    )
    if content is not None:
        response.predictions.extend(_predictions(report, content))
        if response.ByteSize() > _RESPONSE_MAX_BYTES:
            # Many classes of long names: the file says each name once.
            response.ClearField("predictions")
    return response


def _drift(report: PredictionReport) -> Drift:
    try:
        return json_format.ParseDict(report.drift, Drift(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise PredictionFailed(f"the host's {REPORT_PATH}: drift: {str(error)[:200]}") from None


def _predictions(report: PredictionReport, content: bytes) -> list[Prediction]:
    width = 1 + len(report.classes)
    try:
        lines = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))[1:]
        answers = [_prediction(report, line) for line in lines if len(line) == width]
    except (ValueError, csv.Error) as error:
        raise PredictionFailed(f"the host's {PREDICTIONS_PATH}: {str(error)[:200]}") from None
    if not len(answers) == len(lines) == report.num_rows:
        raise PredictionFailed(f"the host's {PREDICTIONS_PATH} does not hold {report.num_rows} lines of {width} cells")
    return answers


def _prediction(report: PredictionReport, cells: list[str]) -> Prediction:
    if report.task == "regression":
        return Prediction(number=float(cells[0]))
    probabilities = {name: float(cell) for name, cell in zip(report.classes, cells[1:], strict=True)}
    return Prediction(label=cells[0], probabilities=probabilities)
