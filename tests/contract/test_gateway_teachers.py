"""Teachers over gRPC: by run for 900 s, by model, by folder; each pinned by digest (RELIABILITY C23)."""

import os
import pickle
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.contract.limits import RECENT_RUNS_MAX
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import JobSpec, TabularDistillSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import ListJobsRequest
from headway.v1.models_service_pb2 import ListModelsRequest
from headway.v1.models_service_pb2_grpc import ModelServiceStub
from tests.jobs_gateway import PARENT, Gateway, a_request, a_spec, refused, running_gateway
from tests.proto_fields import with_fields
from tests.trained_runs import put_bundle, stored_run, trained

FIELD = "job.spec.tabular_distill.teacher_model_path"


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        yield gateway


def a_student(**changes: object) -> JobSpec:
    training = TabularTrainSpec(data_path="iris.csv")
    return JobSpec(tabular_distill=with_fields(TabularDistillSpec(training=training), changes))


def run_id(job: Job) -> str:
    return job.name.rpartition("/")[2]


async def distilled(gateway: Gateway, **changes: object) -> Job:
    return await answer(gateway.jobs.CreateJob(a_request(a_student(**changes))))


async def not_distilled(gateway: Gateway, **changes: object) -> RemoteError:
    return await refused(gateway.jobs.CreateJob(a_request(a_student(**changes))))


async def pins(gateway: Gateway, job: Job) -> dict[str, str]:
    """Digest by role of what a job reads."""
    return {pinned.role: pinned.digest for pinned in (await gateway.records.get(run_id(job))).value.inputs}


def files_of(teacher: Job, number: int = 0) -> dict[str, str]:
    """Digest by role of what a student needs of a teacher."""
    wanted = ("manifest.json", "model.json", "preprocess.json", "model.safetensors")
    digests = {file.path: file.digest for file in teacher.result.bundle.artifacts}
    return {f"teacher.{number}/{path}": digests[path] for path in wanted}


async def test_a_run_that_is_not_saved_is_a_teacher_and_pinned_by_digest(gateway: Gateway) -> None:
    teacher = await trained(gateway, a_spec(save_model=False))
    assert teacher.result.model_version == ""
    models = await answer(ModelServiceStub(gateway.channel).ListModels(ListModelsRequest(parent=PARENT)))
    assert list(models.models) == []
    student = await distilled(gateway, teacher_run_id=run_id(teacher))
    pinned = await pins(gateway, student)
    table = pinned.pop("table")
    assert table.startswith("sha256:")
    assert pinned == files_of(teacher)


async def test_a_teacher_can_be_used_the_moment_its_success_is_known(gateway: Gateway) -> None:
    for number in range(5):
        teacher = await trained(gateway, a_spec(save_model=False), fill=number / 8)
        student = await distilled(gateway, teacher_run_id=run_id(teacher))
        assert (await pins(gateway, student)).items() >= files_of(teacher).items()


async def test_a_run_of_more_than_900_s_ago_is_not_found_in_the_seeds_words_c23(gateway: Gateway) -> None:
    now = datetime.now(UTC)
    old = await stored_run(gateway, now - timedelta(seconds=901))
    error = await not_distilled(gateway, teacher_run_id=old)
    assert (error.code, error.reason, error.metadata["why"]) == (Code.NOT_FOUND, "NOT_FOUND", "EXPIRED")
    assert error.message.startswith("Teacher run not found or expired. ")
    assert error.metadata["step"] == "teacher_found"


@pytest.mark.parametrize("named", ["j" + "b" * 25, "no id", "projects/other/jobs/j" + "b" * 25])
async def test_what_never_was_a_run_here_is_told_apart_c23(gateway: Gateway, named: str) -> None:
    error = await not_distilled(gateway, teacher_run_id=named)
    assert (error.code, error.metadata["why"]) == (Code.NOT_FOUND, "UNKNOWN")
    assert error.message.startswith("Teacher run not found or expired. ")


async def test_the_129th_run_pushes_the_first_out_which_lasts_as_a_model(gateway: Gateway) -> None:
    teacher = await trained(gateway, a_spec(model_id="big"))
    now = datetime.now(UTC)
    for _ in range(RECENT_RUNS_MAX - 1):
        await stored_run(gateway, now)
    assert (await distilled(gateway, teacher_run_id=run_id(teacher))).name
    await stored_run(gateway, now)

    async def is_pushed_out() -> bool:
        try:
            await distilled(gateway, teacher_run_id=run_id(teacher))
        except RemoteError as error:
            return (error.code, error.metadata["why"]) == (Code.NOT_FOUND, "PUSHED_OUT")
        return False

    await eventually(is_pushed_out)
    student = await distilled(gateway, teacher_model_id="big@1")
    assert (await pins(gateway, student)).items() >= files_of(teacher).items()


async def test_a_restart_of_the_gateway_forgets_no_run(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    home = tmp_path / "home"
    async with running_gateway(home, nats_server, nats_bus) as gateway:
        teacher = await trained(gateway, a_spec(save_model=False))
        # A list writes what the stream told of so far; after that, the stream is not asked for it again.
        assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 1
    (home / "run" / "gateway.json").unlink(missing_ok=True)
    async with running_gateway(home, nats_server, nats_bus) as gateway:
        student = await distilled(gateway, teacher_run_id=run_id(teacher))
        assert (await pins(gateway, student)).items() >= files_of(teacher).items()


async def test_several_teachers_and_further_rows_are_pinned_too(gateway: Gateway) -> None:
    first, second = [await trained(gateway, a_spec(model_id=name)) for name in ("big", "bigger")]
    (gateway.home / "data" / "more.csv").write_text("petal,sepal\n" + "1.5,2.5\n" * 40)
    student = await distilled(
        gateway,
        teacher_model_id="big",
        ensemble_teacher_model_ids=["bigger", "big@1"],
        unlabelled_data_path="more.csv",
    )
    pinned = await pins(gateway, student)
    assert pinned.items() >= {**files_of(first), **files_of(second, 1), **files_of(first, 2)}.items()
    assert len(pinned) == 2 + 3 * 4
    assert pinned["unlabelled"] != pinned["table"]


@pytest.mark.parametrize("path", ["../outside", "/etc", "link", "http://169.254.169.254/model", "nowhere"])
async def test_a_teacher_outside_of_the_data_root_is_refused_c23(gateway: Gateway, path: str) -> None:
    put_bundle(gateway.home / "outside")
    (gateway.home / "data" / "link").symlink_to(gateway.home / "outside")
    error = await not_distilled(gateway, teacher_model_path=path)
    assert error.code == Code.INVALID_ARGUMENT
    assert error.reason == ("SCHEME" if ":" in path else "DATA_PATH")
    assert error.violations[0].field == FIELD
    assert str(gateway.home) not in str(error)


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


async def test_a_pickle_as_a_teacher_is_refused_and_never_loaded_c23(gateway: Gateway, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = gateway.home / "data"
    put_bundle(data / "evil")
    (data / "evil" / "model.safetensors").write_bytes(pickle.dumps(Canary(canary)))
    (data / "teacher.pt").write_bytes(pickle.dumps(Canary(canary)))
    for path in ("evil", "teacher.pt"):
        error = await not_distilled(gateway, teacher_model_path=path)
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "FORBIDDEN_CONTENT")
    assert not canary.exists()


async def test_a_teacher_of_other_columns_is_refused_by_their_names_c23(gateway: Gateway) -> None:
    teacher = await trained(gateway, columns=("sepal", "weight", "height"))
    error = await not_distilled(gateway, teacher_run_id=run_id(teacher))
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "TEACHER_MISMATCH")
    assert "'weight', 'height'" in error.message


@pytest.mark.parametrize("named", ["nothing", "big@7", "../x", "projects/other/models/big"])
async def test_a_model_that_is_not_there_is_the_specs_fault(gateway: Gateway, named: str) -> None:
    await trained(gateway, a_spec(model_id="big"))
    error = await not_distilled(gateway, teacher_model_id=named)
    assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "UNKNOWN_TEACHER")
    assert error.violations[0].field == "job.spec.tabular_distill.teacher_model_id"


async def test_a_folder_is_taken_in_once_and_stays_as_it_was(gateway: Gateway) -> None:
    put_bundle(gateway.home / "data" / "big")
    first = await distilled(gateway, teacher_model_path="big")
    weights = gateway.home / "data" / "big" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    error = await not_distilled(gateway, teacher_model_path="big")
    assert error.reason == "MANIFEST"
    weights.unlink()
    assert "teacher.0/model.safetensors" in await pins(gateway, first)
