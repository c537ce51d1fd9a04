from pathlib import Path

import pytest
import typer
from google.protobuf import json_format

from headway.cli.distill import as_yaml
from headway.cli.jobfile.faults import InvalidJobFile
from headway.cli.jobfile.load import load_job_file
from headway.cli.student_file import Asked, make_student_file, named_table, student_id
from headway.cli.teachers import Teacher, TeacherField
from headway.v1.job_specs_pb2 import JobSpec
from tests.unit.cli.teacher_gateway import teacher_gateway
from tests.unit.cli.test_teachers import FILES, JOB, TABLE, a_version


async def made(teacher: str, asked: Asked, *settings: str) -> JobSpec:
    async with teacher_gateway(version=a_version("iris"), files=FILES) as (client, _):
        return (await make_student_file(client, teacher, asked, list(settings))).spec


def fields(spec: JobSpec) -> dict[str, object]:
    return dict(json_format.MessageToDict(spec, preserving_proto_field_name=True))


async def test_without_options_the_student_has_its_teachers_table_and_name_and_the_kinds_defaults() -> None:
    assert fields(await made("iris", Asked())) == {
        "display_name": "student of iris",
        "tabular_distill": {"teacher_model_id": f"iris@{JOB}", "training": {**TABLE, "model_id": "iris-student"}},
    }


async def test_every_option_reaches_its_field() -> None:
    numbers = (
        ("temperature", 3.0),
        ("alpha", 0.0),
        ("student_hidden_dim", 8),
        ("student_num_hidden_layers", 1),
        ("student_dropout", 0.0),
        ("mixup_ratio", 2.0),
    )
    asked = Asked("rows.csv", "", "species", 30, "small", ("iris@1",), "more.csv", "", numbers)
    distill = fields(await made("iris", asked))["tabular_distill"]
    assert distill == {
        "teacher_model_id": f"iris@{JOB}",
        "training": {"data_path": "rows.csv", "target_column": "species", "epochs": 30, "model_id": "small"},
        **{name: pytest.approx(value) for name, value in numbers},
        "ensemble_teacher_model_ids": [f"iris@{JOB}"],
        "unlabelled_data_path": "more.csv",
    }


async def test_a_setting_wins_over_an_option() -> None:
    spec = await made("iris", Asked(epochs=30), "tabular_distill.training.epochs=7", "tags=[a]")
    assert spec.tabular_distill.training.epochs == 7
    assert list(spec.tags) == ["a"]


async def test_a_setting_that_fits_nowhere_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidJobFile) as refused:
        await made("iris", Asked(), "tabular_distill.temprature=3")
    assert refused.value.violations[0].suggested == "temperature"


async def test_a_further_teacher_must_be_a_model() -> None:
    with pytest.raises(typer.BadParameter, match="no registered model"):
        await made("iris", Asked(also=("folder/of/one",)))


async def test_a_folder_with_a_table_of_its_own_is_enough() -> None:
    spec = await made("teachers/iris", Asked(dataset="iris@2"))
    assert spec.tabular_distill.teacher_model_path == "teachers/iris"
    assert (spec.tabular_distill.training.dataset, spec.tabular_distill.training.dataset_version) == ("iris", 2)
    assert not spec.tabular_distill.training.model_id


@pytest.mark.parametrize("dataset", ["iris@", "iris@new", "iris@²", "iris@1234567890"])
def test_a_version_that_is_no_number_is_refused(dataset: str) -> None:
    with pytest.raises(typer.BadParameter, match="a number from 1"):
        named_table(Asked(dataset=dataset))


def test_two_tables_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match="not both"):
        named_table(Asked(data="a.csv", dataset="a"))


@pytest.mark.parametrize(
    ("model_id", "student"), [("iris", "iris-student"), ("iris-student", "iris-student"), ("", ""), ("m" * 60, "")]
)
def test_a_student_is_named_after_its_teacher_where_there_is_room(model_id: str, student: str) -> None:
    assert student_id(Teacher(TeacherField.MODEL_ID, "m@1", model_id=model_id)) == student


async def test_what_is_printed_is_a_job_file_with_the_same_spec() -> None:
    async with teacher_gateway(version=a_version("iris"), files=FILES) as (client, _):
        job_file = await make_student_file(client, "iris", Asked(epochs=30), ["tabular_distill.training.random_seed=7"])
    assert load_job_file(Path("student.yaml"), as_yaml(job_file)).spec == job_file.spec
