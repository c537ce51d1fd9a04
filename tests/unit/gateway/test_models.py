import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model_tar import tar_of
from gateway.models import VERSIONS_IN_FULL_MAX, ModelStore
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, NotFound
from headway.contract.ids import ModelName, ModelVersionName
from headway.contract.transitions import commit_result
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import Artifact, Bundle, JobResult
from headway.v1.models_pb2 import ModelVersion
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import upload

FILES = {"manifest.json": b"{}", "deep/" * 20 + "x.csv": b"a\n" * 300_000, "empty.txt": b""}


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        yield gateway


@pytest.fixture
def models(gateway: BytesGateway) -> ModelStore:
    return gateway.model_store


async def a_registered_version(gateway: BytesGateway) -> ModelVersion:
    for content in FILES.values():
        await upload(gateway, content)
    record = a_record()
    record.model_id = "iris"
    record = a_claimed_record(record)
    job_id = record.job.name.rpartition("/")[2]
    artifacts = [
        Artifact(path=path, digest=sha256_of(content), size_bytes=len(content)) for path, content in FILES.items()
    ]
    result = JobResult(
        bundle=Bundle(digest=sha256_of(FILES["manifest.json"]), artifacts=artifacts),
        attempt=1,
        model_version=f"projects/demo/models/iris/versions/{job_id}",
    )
    version = await gateway.registrar.register(commit_result(record, host=record.job.host, result=result, now=A_MOMENT))
    assert version is not None
    return version


def named(version: str) -> ModelVersionName:
    return ModelVersionName("demo", "iris", version)


async def test_a_version_is_found_by_id_number_and_latest(gateway: BytesGateway, models: ModelStore) -> None:
    made = [await a_registered_version(gateway) for _ in range(3)]
    second = ModelVersionName.parse(made[1].name).version
    assert (await models.get_version(named("2"))) == made[1]
    assert (await models.get_version(named(second))) == made[1]
    assert (await models.get_version(named("latest"))) == made[2]


@pytest.mark.parametrize("version", ["0", "4", "999999999999", "j" + "a" * 25, "nothing"])
async def test_an_unknown_version_is_not_found(gateway: BytesGateway, models: ModelStore, version: str) -> None:
    await a_registered_version(gateway)
    with pytest.raises(NotFound):
        await models.get_version(named(version))


async def test_an_unknown_model_is_not_found(models: ModelStore) -> None:
    with pytest.raises(NotFound):
        await models.get(ModelName("demo", "iris"))
    with pytest.raises(NotFound):
        await models.get_version(named("latest"))


async def test_the_newest_versions_are_told_in_full_and_older_ones_in_short(
    gateway: BytesGateway, models: ModelStore
) -> None:
    for _ in range(VERSIONS_IN_FULL_MAX + 2):
        await a_registered_version(gateway)
    model = await models.get(ModelName("demo", "iris"))
    assert [version.number for version in model.versions] == list(range(1, VERSIONS_IN_FULL_MAX + 3))
    assert [bool(version.bundle.artifacts) for version in model.versions] == [False] * 2 + [True] * VERSIONS_IN_FULL_MAX


async def test_a_version_whose_file_is_lost_says_so(gateway: BytesGateway, models: ModelStore) -> None:
    await a_registered_version(gateway)
    gateway.blobs.path("demo", sha256_of(FILES["manifest.json"])).unlink()
    with pytest.raises(DigestMismatch, match="lost"):
        await models.get_version(named("1"))


async def test_a_tar_file_holds_the_files_and_is_always_the_same(gateway: BytesGateway) -> None:
    version = await a_registered_version(gateway)
    tars = [
        b"".join([piece async for piece in tar_of(version, "demo", gateway.blobs, gateway.threads)]) for _ in range(2)
    ]
    assert tars[0] == tars[1]
    with tarfile.open(fileobj=io.BytesIO(tars[0])) as tar:
        members = tar.getmembers()
        found = {member.name: _content(tar, member) for member in members}
    assert found == FILES
    assert all(member.isreg() and member.mode == 0o644 for member in members)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


async def test_a_tar_file_ends_before_the_last_byte_of_a_bad_file(gateway: BytesGateway) -> None:
    version = await a_registered_version(gateway)
    large = FILES["deep/" * 20 + "x.csv"]
    path = gateway.blobs.path("demo", sha256_of(large))
    path.chmod(0o600)
    path.write_bytes(large[:-2] + b"b\n")
    pieces: list[bytes] = []

    async def read() -> None:
        async for piece in tar_of(version, "demo", gateway.blobs, gateway.threads):
            pieces.append(piece)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(DigestMismatch):
        await read()
    assert b"b\n" not in b"".join(pieces)
