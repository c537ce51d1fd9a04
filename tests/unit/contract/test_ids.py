"""Ids and resource names."""

import re

import pytest

from headway.contract import ids
from headway.contract.errors import InvalidModelId, InvalidName, InvalidRequestId

EVIL = [
    "../../etc/x",
    "/abs",
    "a/b",
    "a\\b",
    "..",
    ".",
    "CON",
    "a\0",
    "%2e%2e",
    "a\u2215b",
    "a" * 300,
    "a.",
    "a ",
    "\u202eabc",
    "",
    "-a",
    "_a",
    "\u0430bc",
    "a\n",
]


def test_job_ids_are_random_and_well_formed() -> None:
    made = {ids.new_job_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(ids.JOB_PATTERN, job_id) for job_id in made)


def test_a_request_id_gives_the_same_job_id_in_its_project_alone() -> None:
    """P4."""
    assert ids.job_id_for("p", "r") == ids.job_id_for("p", "r")
    assert ids.job_id_for("p", "r") != ids.job_id_for("q", "r")
    assert ids.job_id_for("p", "r\0") != ids.job_id_for("p\0", "r")


@pytest.mark.parametrize("text", EVIL)
def test_an_evil_model_id_is_refused_with_the_pattern(text: str) -> None:
    """B14."""
    with pytest.raises(InvalidModelId) as caught:
        ids.check_model_id("f", text)
    assert caught.value.violations[0].field == "f"
    assert "[a-z0-9]" in caught.value.violations[0].allowed
    assert len(caught.value.message) < 120


@pytest.mark.parametrize("text", ["a", "a1", "churn.v2", "a-b_c.d", "0" * 64])
def test_a_plain_model_id_is_taken(text: str) -> None:
    assert ids.check_model_id("f", text) == text


def test_names_are_read_and_written_alike() -> None:
    job = f"projects/default/jobs/{ids.new_job_id()}"
    assert ids.JobName.parse(job).name == job
    assert ids.ProjectName.parse("projects/default").name == "projects/default"
    assert ids.HostName.parse("hosts/laptop-1").name == "hosts/laptop-1"
    assert ids.DatasetName.parse("projects/p/datasets/iris").name == "projects/p/datasets/iris"
    version = ids.ModelVersionName.parse("projects/p/models/m.1/versions/latest")
    assert (version.name, version.model.name) == ("projects/p/models/m.1/versions/latest", "projects/p/models/m.1")


def test_a_bare_id_belongs_to_the_callers_project() -> None:
    assert ids.DatasetName.resolve("iris", project="p", field="f").name == "projects/p/datasets/iris"
    assert ids.ModelName.resolve("projects/q/models/m", project="p", field="f").project == "q"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "projects/p",
        "projects/p/jobs/x",
        "projects/P/jobs/j" + "a" * 25,
        "projects/p/jobs/j" + "a" * 25 + "\n",
    ],
)
def test_a_malformed_job_name_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidName, match=r"projects/\{project\}/jobs/\{job\}"):
        ids.JobName.parse(text)


@pytest.mark.parametrize("text", ["", "a" * 129, "a b", "a\n", "\U0001f600"])
def test_a_bad_request_id_is_refused(text: str) -> None:
    """B3."""
    with pytest.raises(InvalidRequestId):
        ids.check_request_id("request_id", text)


def test_ids_of_projects_datasets_and_hosts_have_their_patterns() -> None:
    assert ids.check_project_id("f", "default") == "default"
    assert ids.check_dataset_id("f", "iris") == "iris"
    assert ids.check_host_id("f", "laptop") == "laptop"
    with pytest.raises(InvalidName):
        ids.check_project_id("f", "1")


def test_a_record_key_keeps_dots_apart() -> None:
    assert ids.record_key("p", "a..b") == "p/a==b"
    assert ids.ModelName("p", "m.1").key == "p/m=1"
