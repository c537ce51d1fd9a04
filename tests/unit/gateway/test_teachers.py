"""Teachers by run, by registered model and by folder, each pinned by the digests of its files."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.claims import Claim
from gateway.data_root import DataRoot
from gateway.find_run import RunFinder
from gateway.foreign_bundles import MODEL_FILES, ForeignBundles
from gateway.recent_runs import RecentRuns
from gateway.teachers import TeacherStore
from gateway.validation.chain import Teacher
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, InvalidDataPath, NotFound, UnknownTeacher
from headway.contract.ids import JobName
from headway.runtime.clock import SystemClock
from headway.testing.builders import a_claimed_record, a_record
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import JobRecord
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import A_SUMMARY, AN_ARCHITECTURE, keep, result_files, upload_all, with_manifest

FIELD = "job.spec.tabular_distill.teacher_model_id"


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        yield gateway


@pytest.fixture
def teachers(gateway: BytesGateway) -> TeacherStore:
    foreign = ForeignBundles(DataRoot(gateway.data), gateway.intake, gateway.blobs, gateway.threads)
    finder = RunFinder(gateway.jobs, RecentRuns(), SystemClock())
    return TeacherStore(finder, gateway.model_store, foreign, gateway.blobs, gateway.threads)


async def trained(gateway: BytesGateway, *, fill: float = 0.5, model_id: str = "iris", kind: str = "") -> JobRecord:
    """A job whose result was committed."""
    record = a_record()
    record.model_id = model_id
    record.job.kind = kind or record.job.kind
    record = await keep(gateway, a_claimed_record(record))
    bundle = await upload_all(gateway, with_manifest(result_files(fill=fill), record))
    claim = Claim(job=JobName.parse(record.job.name), attempt=record.job.attempt, host=record.job.host)
    await gateway.commits.commit_result(claim, bundle, A_SUMMARY)
    return (await gateway.jobs.get(run_id(record))).value


def run_id(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


def digests(teacher: Teacher) -> dict[str, str]:
    return {file.path: file.digest for file in teacher.files}


async def test_a_run_whose_model_was_not_saved_is_a_teacher(gateway: BytesGateway, teachers: TeacherStore) -> None:
    record = await trained(gateway, model_id="")
    teacher = await teachers.by_run("demo", run_id(record))
    assert teacher.architecture == AN_ARCHITECTURE
    assert (teacher.target, teacher.columns) == ("species", ("f0", "f1", "f2", "f3"))
    assert teacher.title == record.job.name
    committed = {file.path: file.digest for file in record.job.result.bundle.artifacts}
    assert list(digests(teacher)) == list(MODEL_FILES)
    assert digests(teacher).items() <= committed.items()
    with pytest.raises(UnknownTeacher):
        await teachers.by_model("demo", "iris", field=FIELD)


async def test_an_expired_run_is_not_found_in_the_seeds_words_c23(
    gateway: BytesGateway, teachers: TeacherStore
) -> None:
    record = await trained(gateway)
    late = RunFinder(gateway.jobs, RecentRuns(ttl=timedelta()), SystemClock())
    with pytest.raises(NotFound, match=r"^Teacher run not found or expired\. ") as caught:
        await replace(teachers, runs=late).by_run("demo", run_id(record))
    assert caught.value.metadata["why"] == "EXPIRED"
    # As a model it lasts.
    model = await teachers.by_model("demo", "iris", field=FIELD)
    assert model.title == record.job.result.model_version


async def test_a_model_is_named_with_or_without_a_version(gateway: BytesGateway, teachers: TeacherStore) -> None:
    first, second = [await trained(gateway, fill=fill) for fill in (0.25, 0.75)]
    by_text = {
        text: (await teachers.by_model("demo", text, field=FIELD)).title
        for text in ("iris", "iris@latest", "iris@1", f"iris@{run_id(first)}", "projects/demo/models/iris@2")
    }
    newest, oldest = second.job.result.model_version, first.job.result.model_version
    assert list(by_text.values()) == [newest, newest, oldest, oldest, newest]


@pytest.mark.parametrize(
    "text", ["other", "iris@7", "../x", "iris@../x", "projects/else/models/iris", "@1", "x" * 9000, "a@b@c"]
)
async def test_a_model_that_is_not_there_is_an_unknown_teacher(
    gateway: BytesGateway, teachers: TeacherStore, text: str
) -> None:
    await trained(gateway)
    with pytest.raises(UnknownTeacher) as caught:
        await teachers.by_model("demo", text, field=FIELD)
    assert caught.value.violations[0].field == FIELD
    assert len(caught.value.message) < 250
    assert ("another project" in caught.value.message) == text.startswith("projects/else")


async def test_a_model_of_another_kind_is_no_teacher(gateway: BytesGateway, teachers: TeacherStore) -> None:
    await trained(gateway, kind="toy")
    with pytest.raises(UnknownTeacher, match="toy"):
        await teachers.by_model("demo", "iris", field=FIELD)


async def test_a_folder_is_a_teacher_once_it_is_checked(gateway: BytesGateway, teachers: TeacherStore) -> None:
    folder = gateway.data / "big"
    folder.mkdir()
    files = with_manifest(result_files(), a_claimed_record(a_record()))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    teacher = await teachers.by_path("demo", "big", field=FIELD)
    assert digests(teacher) == {path: sha256_of(files[path]) for path in MODEL_FILES}
    assert teacher.architecture == AN_ARCHITECTURE
    with pytest.raises(InvalidDataPath):
        await teachers.by_path("demo", "small", field=FIELD)


async def test_a_teacher_whose_file_is_lost_is_told_as_data_loss(gateway: BytesGateway, teachers: TeacherStore) -> None:
    record = await trained(gateway)
    teacher = await teachers.by_run("demo", run_id(record))
    gateway.blobs.path("demo", digests(teacher)["model.safetensors"]).unlink()
    with pytest.raises(DigestMismatch):
        await teachers.by_run("demo", run_id(record))


async def test_the_files_of_a_teacher_stay_while_a_job_is_written_that_names_them(
    gateway: BytesGateway, teachers: TeacherStore
) -> None:
    record = await trained(gateway)
    digests_of_all = {file.digest for file in record.job.result.bundle.artifacts}
    for digest in digests_of_all:
        os.utime(gateway.blobs.path("demo", digest), (0, 0))
    teacher = await teachers.by_run("demo", run_id(record))
    unused = {info.digest for _, info in gateway.blobs.unused_since(1.0)}
    assert unused == digests_of_all - set(digests(teacher).values())
