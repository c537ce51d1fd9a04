import pytest

from headway.client.names import dataset_name, job_name, model_name, model_version_name, project_name
from headway.contract.errors import InvalidArgument

JOB_ID = "j" + "a" * 25


def test_a_bare_id_gets_its_project() -> None:
    assert job_name("lab", JOB_ID) == f"projects/lab/jobs/{JOB_ID}"
    assert dataset_name("lab", "iris") == "projects/lab/datasets/iris"
    assert model_name("lab", "iris") == "projects/lab/models/iris"
    assert project_name("lab") == "projects/lab"


def test_a_full_name_stays() -> None:
    assert job_name("lab", f"projects/other/jobs/{JOB_ID}") == f"projects/other/jobs/{JOB_ID}"
    assert dataset_name("lab", "projects/other/datasets/iris") == "projects/other/datasets/iris"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("iris", "latest"),
        ("iris@latest", "latest"),
        ("iris@3", "3"),
        (f"iris@{JOB_ID}", JOB_ID),
        (f"projects/lab/models/iris/versions/{JOB_ID}", JOB_ID),
        ("projects/lab/models/iris@3", "3"),
    ],
)
def test_a_version_is_named_in_many_ways(text: str, version: str) -> None:
    assert model_version_name("lab", text) == f"projects/lab/models/iris/versions/{version}"


@pytest.mark.parametrize("text", ["", "J" + "a" * 25, "j1", "../x", "projects/lab/jobs/", "a b"])
def test_what_can_be_no_name_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(InvalidArgument):
        job_name("lab", text)
