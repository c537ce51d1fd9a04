import random
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import Code, DigestMismatch, StoreUnavailable
from headway.contract.limits import MIB
from headway.runtime.remote_error import RemoteError
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import Artifact, Bundle
from tests.contract.fake_gateway import FakeGateway
from trainer_host.uploads import Uploads, blames_the_bytes

FILES = {
    "model.safetensors": random.Random(1).randbytes(3 * MIB),
    "manifest.json": b"{}",
    "deep/empty": b"",
    "again.json": b"{}",
}


@pytest.fixture
def uploads(channel: grpc.aio.Channel) -> Uploads:
    return Uploads(BlobServiceStub(channel))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def the_bundle() -> Bundle:
    artifacts = [Artifact(path=name, digest=sha256_of(one), size_bytes=len(one)) for name, one in FILES.items()]
    return Bundle(digest=sha256_of(FILES["manifest.json"]), artifacts=artifacts)


async def test_every_file_arrives_and_equal_files_are_sent_once(
    uploads: Uploads, gateway: FakeGateway, folder: Path
) -> None:
    await uploads.send_bundle("projects/p", the_bundle(), folder)
    assert gateway.blobs == {sha256_of(content): content for content in FILES.values()}
    assert gateway.calls.count("UploadBlob") == 3


async def test_what_the_gateway_has_is_not_sent_again(uploads: Uploads, gateway: FakeGateway, folder: Path) -> None:
    await uploads.send_bundle("projects/p", the_bundle(), folder)
    gateway.calls.clear()
    await uploads.send_bundle("projects/p", the_bundle(), folder)
    assert gateway.calls == ["FindMissingBlobs"]


@pytest.mark.parametrize("method", ["FindMissingBlobs", "UploadBlob"])
async def test_the_error_of_the_gateway_is_the_error(
    uploads: Uploads, gateway: FakeGateway, folder: Path, method: str
) -> None:
    gateway.faults.errors[method] = [StoreUnavailable("away") for _ in range(5)]
    with pytest.raises(RemoteError) as raised:
        await uploads.send_bundle("projects/p", the_bundle(), folder)
    assert raised.value.reason == "STORE_UNAVAILABLE"


async def test_damage_is_told_from_other_errors(uploads: Uploads, gateway: FakeGateway, folder: Path) -> None:
    gateway.faults.errors["UploadBlob"] = [DigestMismatch("damaged") for _ in range(3)]
    with pytest.raises(RemoteError) as raised:
        await uploads.send_bundle("projects/p", the_bundle(), folder)
    assert blames_the_bytes(raised.value)
    assert not blames_the_bytes(RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "away"))
