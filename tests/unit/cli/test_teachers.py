import json

import pytest
import typer

from headway.cli.teachers import Teacher, TeacherField, field_for, find_teacher, table_of, trained_on
from headway.contract.errors import InvalidManifest, NotFound
from headway.contract.manifest import Manifest, ManifestInput
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, Job, JobResult
from headway.v1.models_pb2 import ModelVersion
from tests.unit.cli.teacher_gateway import a_bundle, teacher_gateway

JOB = "j" + "a" * 25
MANIFEST = {
    "job": f"projects/default/jobs/{JOB}",
    "kind": "tabular_train",
    "attempt": 1,
    "spec": {"tabular_train": {"dataset": "iris", "target_column": "species", "sheet_name": "Sheet 2"}},
    "inputs": [{"role": "table", "digest": "sha256:0", "dataset": "projects/default/datasets/iris", "version": 3}],
    "artifacts": [],
}
TABLE = {"dataset": "projects/default/datasets/iris", "dataset_version": 3, "sheet_name": "Sheet 2"}
FILES = {"manifest.json": json.dumps(MANIFEST).encode()}


def a_version(model: str, project: str = "default") -> ModelVersion:
    return ModelVersion(name=f"projects/{project}/models/{model}/versions/{JOB}", bundle=a_bundle(FILES))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (JOB, TeacherField.RUN_ID),
        (f"projects/p/jobs/{JOB}", TeacherField.RUN_ID),
        ("iris", TeacherField.MODEL_ID),
        ("iris@2", TeacherField.MODEL_ID),
        (f"{JOB}@latest", TeacherField.MODEL_ID),
        ("projects/p/models/iris/versions/1", TeacherField.MODEL_ID),
        ("teachers/iris", TeacherField.MODEL_PATH),
        ("iris/", TeacherField.MODEL_PATH),
        ("/srv/iris", TeacherField.MODEL_PATH),
    ],
)
def test_a_teacher_is_told_from_its_name(text: str, field: TeacherField) -> None:
    assert field_for(text) == field


async def test_a_model_is_named_by_the_version_that_it_has_now() -> None:
    async with teacher_gateway(version=a_version("iris")) as (client, models):
        teacher = await find_teacher(client, "iris")
    assert models.names == ["projects/default/models/iris/versions/latest"]
    assert (teacher.named_by, teacher.value, teacher.model_id) == (TeacherField.MODEL_ID, f"iris@{JOB}", "iris")


async def test_a_model_of_another_project_keeps_its_full_name() -> None:
    async with teacher_gateway(version=a_version("iris", "lab")) as (client, _):
        teacher = await find_teacher(client, "projects/lab/models/iris/versions/latest")
    assert teacher.value == f"projects/lab/models/iris@{JOB}"


async def test_a_job_with_a_registered_model_is_named_by_it_because_that_stays() -> None:
    job = Job(name=f"projects/default/jobs/{JOB}", result=JobResult(model_version=a_version(JOB).name))
    async with teacher_gateway(job=job, version=a_version(JOB)) as (client, _):
        teacher = await find_teacher(client, JOB)
    assert (teacher.named_by, teacher.value) == (TeacherField.MODEL_ID, f"{JOB}@{JOB}")
    assert teacher.model_id == "", "an id made from the job's is no name"


async def test_a_job_that_was_not_saved_is_named_by_its_run() -> None:
    job = Job(name=f"projects/default/jobs/{JOB}", result=JobResult(bundle=a_bundle(FILES)))
    async with teacher_gateway(job=job, files=FILES) as (client, _):
        teacher = await find_teacher(client, JOB)
        assert (teacher.named_by, teacher.value) == (TeacherField.RUN_ID, JOB)
        assert await table_of(client, teacher) == TABLE


async def test_a_job_without_a_result_is_no_teacher() -> None:
    job = Job(name=f"projects/default/jobs/{JOB}", state=JOB_STATE_RUNNING)
    async with teacher_gateway(job=job) as (client, _):
        with pytest.raises(NotFound, match="RUNNING"):
            await find_teacher(client, JOB)


async def test_the_table_is_the_pinned_version_that_the_teacher_was_trained_on() -> None:
    async with teacher_gateway(version=a_version("iris"), files=FILES) as (client, _):
        assert await table_of(client, await find_teacher(client, "iris")) == TABLE


async def test_a_manifest_that_is_none_is_an_error_that_names_the_teacher() -> None:
    files = {"manifest.json": b"{}"}
    version = ModelVersion(name=a_version("iris").name, bundle=a_bundle(files))
    async with teacher_gateway(version=version, files=files) as (client, _):
        with pytest.raises(InvalidManifest, match="models/iris"):
            await table_of(client, await find_teacher(client, "iris"))


async def test_a_folder_needs_to_be_told_its_table() -> None:
    async with teacher_gateway() as (client, _):
        teacher = await find_teacher(client, "./teachers/iris")
        assert teacher == Teacher(TeacherField.MODEL_PATH, "teachers/iris")
        with pytest.raises(typer.BadParameter, match="--data"):
            await table_of(client, teacher)


def test_the_table_of_a_student_is_that_of_its_training() -> None:
    spec = {"tabular_distill": {"teacher_model_id": "iris", "training": {"sheet_name": "s"}, "of_a_later_version": 1}}
    manifest = Manifest.model_validate({**MANIFEST, "kind": "tabular_distill", "spec": spec})
    assert trained_on(manifest) == {**TABLE, "sheet_name": "s"}


def test_a_manifest_without_a_dataset_names_no_table() -> None:
    inputs = (ManifestInput(role="unlabelled", digest="sha256:0", dataset="projects/p/datasets/d"),)
    assert trained_on(Manifest.model_validate({**MANIFEST, "inputs": inputs})) == {}
