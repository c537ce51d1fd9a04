import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.data_root import DataRoot
from gateway.intake import Intake
from headway.contract.digests import sha256_of
from headway.contract.errors import BlobTooLarge, InvalidDataPath
from tests.bytes_gateway import Tasks

CONTENT = b"x" * 3_000_000


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[Intake]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_bytes(CONTENT)
    store = BlobStore(tmp_path / "blobs", BlobSettings(max_blob_bytes=4_000_000))
    store.prepare()
    async with DiskThreads() as threads, asyncio.TaskGroup() as group:
        yield Intake(store, threads, Tasks(group))


async def test_a_file_is_copied_and_hashed(intake: Intake, tmp_path: Path) -> None:
    opened = DataRoot(tmp_path / "data").open("x.csv")
    info = await intake.take_in("demo", opened, field="data_path")
    assert (info.digest, info.size_bytes) == (sha256_of(CONTENT), len(CONTENT))
    assert opened.file.closed


async def test_many_who_ask_share_one_copy(intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    num_parts = 0
    begin = BlobStore.new_nameless_part

    def counted(store: BlobStore, project: str, num_bytes: int) -> object:
        nonlocal num_parts
        num_parts += 1
        return begin(store, project, num_bytes)

    monkeypatch.setattr(BlobStore, "new_nameless_part", counted)
    opened = [DataRoot(tmp_path / "data").open("x.csv") for _ in range(5)]
    infos = await asyncio.gather(*(intake.take_in("demo", one, field="data_path") for one in opened))
    assert len(set(infos)) == 1
    assert num_parts == 1
    assert all(one.file.closed for one in opened)


async def test_a_caller_who_leaves_does_not_stop_the_copy(intake: Intake, tmp_path: Path) -> None:
    """The next call finds it done, however long it takes."""
    root = DataRoot(tmp_path / "data")
    call = asyncio.create_task(intake.take_in("demo", root.open("x.csv"), field="data_path"))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await intake.take_in("demo", root.open("x.csv"), field="data_path")).digest == sha256_of(CONTENT)


@pytest.mark.parametrize("change", [b"shorter", CONTENT + b"longer", CONTENT[:-1] + b"y"])
async def test_a_file_that_changes_under_the_copy_is_refused(intake: Intake, tmp_path: Path, change: bytes) -> None:
    opened = DataRoot(tmp_path / "data").open("x.csv")
    (tmp_path / "data" / "x.csv").write_bytes(change)
    with pytest.raises(InvalidDataPath, match="written to"):
        await intake.take_in("demo", opened, field="data_path")
    assert list(tmp_path.glob("blobs/demo/incoming/*")) == []  # noqa: ASYNC240 - two files
    assert opened.file.closed


async def test_a_file_over_the_limit_is_refused_before_it_is_read(intake: Intake, tmp_path: Path) -> None:
    (tmp_path / "data" / "big.csv").write_bytes(bytes(4_000_001))
    with pytest.raises(BlobTooLarge):
        await intake.take_in("demo", DataRoot(tmp_path / "data").open("big.csv"), field="data_path")
