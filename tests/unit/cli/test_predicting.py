"""Rows that go up and answers that come down, against scripted services."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import pytest
import typer

from headway.cli import predicting
from headway.cli.predicting import AnswerOutput, Asked, predict
from headway.client import HeadwayClient
from headway.v1.blobs_service_pb2_grpc import add_BlobServiceServicer_to_server
from headway.v1.datasets_pb2 import Dataset
from headway.v1.datasets_service_pb2 import (
    CreateDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
    ListDatasetsResponse,
    PreviewDatasetRequest,
    PreviewDatasetResponse,
)
from headway.v1.datasets_service_pb2_grpc import DatasetServiceServicer, add_DatasetServiceServicer_to_server
from headway.v1.jobs_pb2 import Artifact
from headway.v1.models_service_pb2 import Drift, Prediction, PredictRequest, PredictResponse
from headway.v1.models_service_pb2_grpc import add_ModelServiceServicer_to_server
from tests.scripted_blobs import ScriptedBlobs, digest
from tests.unit.cli.teacher_gateway import OneVersion

CSV = b"prediction\n1.5\n"
FILE = Artifact(path="predictions.csv", digest=digest(CSV), size_bytes=len(CSV))
ANSWER = PredictResponse(
    job="projects/default/jobs/j" + "a" * 25,
    model="m",
    num_rows=1,
    predictions=[Prediction(number=1.5)],
    drift=Drift(unknown_columns=["odd"]),
    predictions_csv=FILE,
)


@dataclass
class Answering(OneVersion):
    """Answers with one row; what was asked is kept."""

    answer: PredictResponse = field(default_factory=lambda: ANSWER)
    asked: list[PredictRequest] = field(default_factory=list)

    async def Predict(self, request: PredictRequest, context: object) -> PredictResponse:  # noqa: N802 - gRPC's name
        self.asked.append(request)
        return self.answer


class NewDatasets(DatasetServiceServicer):
    """Makes a dataset of whatever was uploaded."""

    async def CreateDataset(self, request: CreateDatasetRequest, context: object) -> Dataset:  # noqa: N802 - gRPC's name
        return Dataset(name=f"projects/default/datasets/{request.file_name}", version=3)

    # Nobody asks for these here.

    async def GetDataset(self, request: GetDatasetRequest, context: object) -> Dataset:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def ListDatasets(  # noqa: N802 - gRPC's name
        self, request: ListDatasetsRequest, context: object
    ) -> ListDatasetsResponse:
        raise NotImplementedError

    async def PreviewDataset(  # noqa: N802 - gRPC's name
        self, request: PreviewDatasetRequest, context: object
    ) -> PreviewDatasetResponse:
        raise NotImplementedError


@dataclass
class Stage:
    client: HeadwayClient
    models: Answering


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    server, models = grpc.aio.server(), Answering()
    add_ModelServiceServicer_to_server(models, server)
    add_DatasetServiceServicer_to_server(NewDatasets(), server)
    add_BlobServiceServicer_to_server(ScriptedBlobs(blobs={FILE.digest: CSV}), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with HeadwayClient.connect(f"127.0.0.1:{port}", "key", home=tmp_path / "home") as client:
        yield Stage(client, models)
    await server.stop(0)


def asked(
    file: Path | None, *, dataset: str = "", output: AnswerOutput = AnswerOutput.TABLE, to: Path | None = None
) -> Asked:
    return Asked(model="m", file=file, dataset=dataset, sheet="s", imputes=True, output=output, to=to)


def rows_file(folder: Path, name: str = "rows.csv", content: bytes = b"\xef\xbb\xbfx\n1\n") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


async def test_few_rows_go_as_text_and_are_shown(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await predict(stage.client, asked(rows_file(tmp_path)))

    (request,) = stage.models.asked
    assert (request.csv, request.impute_missing_columns) == ("x\n1\n", True)
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()] == [["row", "prediction"], ["1", "1.5"]]
    assert "odd" in printed.err


async def test_programs_get_json_or_csv(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = rows_file(tmp_path)
    await predict(stage.client, asked(file, output=AnswerOutput.JSON))
    assert json.loads(capsys.readouterr().out)["predictions"] == [{"number": 1.5}]

    await predict(stage.client, asked(file, output=AnswerOutput.CSV))
    assert capsys.readouterr().out.encode() == CSV


async def test_all_answers_come_down_into_a_file(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await predict(stage.client, asked(rows_file(tmp_path), to=tmp_path / "answers.csv"))

    assert (tmp_path / "answers.csv").read_bytes() == CSV
    assert capsys.readouterr().out.strip() == str(tmp_path / "answers.csv")


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.csv"])
async def test_what_is_large_or_no_text_goes_up_as_a_dataset(
    stage: Stage, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "PREDICT_ROWS_MAX_BYTES", 3)

    await predict(stage.client, asked(rows_file(tmp_path, name)))

    (request,) = stage.models.asked
    assert (request.dataset, request.dataset_version) == (f"projects/default/datasets/{name}", 3)
    assert request.sheet_name == "s"


async def test_a_dataset_is_named_as_it_is(stage: Stage) -> None:
    await predict(stage.client, asked(None, dataset="d"))

    assert (stage.models.asked[0].dataset, stage.models.asked[0].sheet_name) == ("d", "s")


async def test_too_many_answers_to_show_are_said_to_be(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.models.answer = PredictResponse(job=ANSWER.job, num_rows=5000, predictions_csv=FILE)

    await predict(stage.client, asked(rows_file(tmp_path)))

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "5000 answers" in printed.err
    assert "--to" in printed.err


async def test_a_file_that_is_no_text_is_refused(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="UTF-8"):
        await predict(stage.client, asked(rows_file(tmp_path, content=b"x\n\xff\n")))
    assert stage.models.asked == []
