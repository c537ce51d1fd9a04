"""What may be named in a Predict call."""

from dataclasses import dataclass

import pytest

from gateway.predict_models import NEEDED, AnsweringModels
from headway.contract.errors import InvalidArgument, InvalidName, NotFound, PermissionDenied
from headway.contract.ids import ModelVersionName
from headway.v1.jobs_pb2 import Artifact, Bundle, Job, JobResult
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import PROJECT, a_principal

VERSION = f"projects/{PROJECT}/models/m/versions"
RUN = f"projects/{PROJECT}/jobs/j" + "a" * 25
FILES = Bundle(artifacts=[Artifact(path=path, digest=path) for path in (*NEEDED, "history.csv")])


@dataclass
class Shelf:
    """Has one version, one run, or neither."""

    bundle: Bundle
    kind: str = "tabular_train"

    async def get_version(self, name: ModelVersionName) -> ModelVersion:
        if name.version != "latest":
            raise NotFound(f"{name.name} does not exist")
        return ModelVersion(name=f"{VERSION}/{'j' + 'a' * 25}", kind=self.kind, bundle=self.bundle)

    async def find(self, run_id: str, *, project: str, what: str = "Run") -> JobRecord:
        if run_id != RUN:
            raise NotFound(f"{what} not found or expired.")
        return JobRecord(job=Job(name=RUN, kind=self.kind, result=JobResult(bundle=self.bundle)))


def models(kind: str = "tabular_train", bundle: Bundle = FILES) -> AnsweringModels:
    shelf = Shelf(bundle, kind)
    return AnsweringModels(shelf, shelf)


@pytest.mark.parametrize("name", [f"{VERSION}/latest", RUN])
@pytest.mark.parametrize("kind", ["tabular_train", "tabular_distill"])
async def test_a_version_and_a_run_are_pinned_by_their_files(name: str, kind: str) -> None:
    found = await models(kind).find(name, a_principal())

    assert found.project == PROJECT
    assert found.name == (RUN if name == RUN else f"{VERSION}/j{'a' * 25}")
    assert [(one.role, one.digest) for one in found.inputs] == [(f"model/{path}", path) for path in NEEDED]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (f"{VERSION}/7", NotFound),
        (f"projects/{PROJECT}/jobs/j{'b' * 25}", NotFound),
        ("projects/other/models/m/versions/latest", PermissionDenied),
        (f"projects/other/jobs/j{'a' * 25}", PermissionDenied),
        ("iris", InvalidName),
        (f"projects/{PROJECT}/jobs/nobody", InvalidName),
    ],
)
async def test_what_is_not_there_or_not_the_callers_is_refused(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await models().find(name, a_principal())


@pytest.mark.parametrize("broken", [models("custom"), models(bundle=Bundle(artifacts=FILES.artifacts[:2]))])
async def test_a_model_that_answers_no_rows_is_refused(broken: AnsweringModels) -> None:
    with pytest.raises(InvalidArgument, match="answers no rows"):
        await broken.find(f"{VERSION}/latest", a_principal())
