"""What is looked at where: small and very large CSV files here, what takes long or foreign libraries in a process."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import table_reader, tables
from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.probing import Prober
from gateway.table_probe import Answer, Question
from gateway.table_reader import DataFile, TableReader
from gateway.tables import TableFacts
from headway.contract.digests import sha256_of
from headway.contract.errors import InvalidTable

TABLE = b"a,b\n" + b"1,2\n" * 1000


class CountingProber(Prober):
    """Answers for a process, and counts how often it is asked."""

    num_asked = 0

    async def ask(self, question: Question, *, field: str) -> Answer:
        self.num_asked += 1
        return Answer(header=("a", "b"), num_rows=1000)


@pytest.fixture
async def threads() -> AsyncIterator[DiskThreads]:
    async with DiskThreads() as threads:
        yield threads


class Files:
    """A reader over a store of its own."""

    def __init__(self, folder: Path, threads: DiskThreads) -> None:
        self.prober = CountingProber()
        self._blobs = BlobStore(folder / "blobs", BlobSettings())
        self._blobs.prepare()
        self._reader = TableReader(self._blobs, threads, self.prober)

    async def facts(self, content: bytes) -> TableFacts:
        part = self._blobs.new_nameless_part("demo", len(content))
        part.write(content)
        self._blobs.publish(part, "demo")
        return await self._reader.facts(DataFile("demo", sha256_of(content), len(content), "csv"), field="data_path")


@pytest.fixture
def files(tmp_path: Path, threads: DiskThreads) -> Files:
    return Files(tmp_path, threads)


async def test_a_small_csv_is_counted_here(files: Files) -> None:
    assert await files.facts(TABLE) == TableFacts(("a", "b"), 1000)
    assert files.prober.num_asked == 0


async def test_a_csv_that_takes_a_while_is_counted_by_a_process_once(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_reader, "_QUICK_MAX_BYTES", 100)
    assert await files.facts(TABLE) == await files.facts(TABLE) == TableFacts(("a", "b"), 1000)
    assert files.prober.num_asked == 1


async def test_of_a_very_large_csv_only_the_beginning_is_read(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reader, "_QUICK_MAX_BYTES", 100)
    monkeypatch.setattr(table_reader, "COUNTED_TABLE_MAX_BYTES", 1000)
    monkeypatch.setattr(tables, "COUNTED_TABLE_MAX_BYTES", 1000)
    broken_at_its_end = TABLE + b"1,2\n" * 400_000 + os.urandom(1000)
    assert await files.facts(broken_at_its_end) == TableFacts(("a", "b"), 0)
    assert files.prober.num_asked == 0
    with pytest.raises(InvalidTable, match="line 3"):
        await files.facts(b"a,b\n1,2\n3\n" + TABLE)
