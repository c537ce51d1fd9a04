from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from headway.cli.jobfile.faults import InvalidJobFile
from headway.cli.jobfile.load import JobFile
from headway.cli.local_data import data_places, find_local, upload_named_data
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
from headway.v1.job_specs_pb2 import CustomSpec, JobSpec, TabularDistillSpec, TabularTrainSpec
from tests.scripted_blobs import ScriptedBlobs


class FirstVersions(DatasetServiceServicer):
    """Whatever comes is version 1 of the dataset named like the file; the newest version is what the test says."""

    def __init__(self, newest: int) -> None:
        self.newest = newest

    async def CreateDataset(self, request: CreateDatasetRequest, context: object) -> Dataset:  # noqa: N802 - gRPC's name
        return Dataset(name=f"projects/default/datasets/{Path(request.file_name).stem}", version=1)

    async def GetDataset(self, request: GetDatasetRequest, context: object) -> Dataset:  # noqa: N802 - gRPC's name
        return Dataset(name=request.name, version=self.newest)

    # Nobody asks for these here.

    async def ListDatasets(self, request: ListDatasetsRequest, context: object) -> ListDatasetsResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def PreviewDataset(self, request: PreviewDatasetRequest, context: object) -> PreviewDatasetResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError


@asynccontextmanager
async def a_gateway(newest: int) -> AsyncGenerator[HeadwayClient]:
    server = grpc.aio.server()
    add_DatasetServiceServicer_to_server(FirstVersions(newest), server)
    add_BlobServiceServicer_to_server(ScriptedBlobs(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with HeadwayClient.connect(f"127.0.0.1:{port}", "hw_test") as client:
            yield client
    finally:
        await server.stop(None)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jobs" / "table.csv"
    path.parent.mkdir()
    path.write_text("a,b\n", encoding="utf-8")
    return path


def test_a_file_beside_the_job_file_is_local(table: Path) -> None:
    assert find_local("table.csv", table.parent) == table


def test_a_file_where_the_command_runs_is_local(table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(table.parent)
    assert find_local("table.csv", tmp_path) == table


def test_an_absolute_path_to_a_file_is_local(table: Path) -> None:
    assert find_local(str(table), Path("/")) == table


@pytest.mark.parametrize("data_path", ["none.csv", "jobs", "https://example.com/table.csv", "/none/table.csv"])
def test_anything_else_is_the_gateways(data_path: str, table: Path) -> None:
    assert find_local(data_path, table.parent.parent) is None


def a_student(table: Path) -> JobFile:
    """Learns from a table that lies here, and from further rows that do."""
    training = TabularTrainSpec(data_path="table.csv", target_column="b")
    spec = JobSpec(tabular_distill=TabularDistillSpec(unlabelled_data_path=str(table), training=training))
    return JobFile(spec, table.parent)


async def test_both_tables_of_a_student_are_uploaded_when_they_lie_here(table: Path) -> None:
    async with a_gateway(newest=1) as client:
        job_file = await upload_named_data(client, a_student(table))
    name = "projects/default/datasets/table"
    training = TabularTrainSpec(dataset=name, dataset_version=1, target_column="b")
    assert job_file.spec.tabular_distill == TabularDistillSpec(unlabelled_dataset=name, training=training)


async def test_a_field_that_takes_the_newest_version_refuses_a_file_that_is_an_older_one(table: Path) -> None:
    async with a_gateway(newest=2) as client:
        with pytest.raises(InvalidJobFile, match=r"version 1 of .*/table, whose newest is 2"):
            await upload_named_data(client, a_student(table))


async def test_what_is_the_gateways_stays_as_it_is(table: Path) -> None:
    spec = JobSpec(tabular_train=TabularTrainSpec(data_path="below/the/root.csv"))
    async with a_gateway(newest=1) as client:
        assert (await upload_named_data(client, JobFile(spec, table.parent))).spec == spec


def test_a_kind_without_tables_has_no_places() -> None:
    assert list(data_places(JobSpec(custom=CustomSpec()))) == []
