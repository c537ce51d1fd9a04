"""The memory of pinned tables: never older than the dataset, never across projects."""

from dataclasses import dataclass, field

import pytest

from gateway.cached_tables import TABLES_KEPT, CachedTables
from gateway.validation.chain import Table
from headway.contract.errors import InvalidName
from tests.unit.gateway.builders import PROJECT, FakeTables, a_table


@dataclass
class CountedTables(FakeTables):
    """Remembers what it was asked for."""

    asked: list[tuple[str, str, int, str]] = field(default_factory=list)

    async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
        self.asked.append((project, dataset, version, sheet))
        if "bad name" in dataset:
            raise InvalidName("bad")
        return a_table(num_rows=len(self.asked))


@dataclass
class Revisions:
    revisions: dict[str, int] = field(default_factory=lambda: {"demo/iris": 5, "other/iris": 6})

    def revision_of(self, key: str) -> int:
        return self.revisions.get(key, 0)


@pytest.fixture
def inner() -> CountedTables:
    return CountedTables()


@pytest.fixture
def revisions() -> Revisions:
    return Revisions()


@pytest.fixture
def tables(inner: CountedTables, revisions: Revisions) -> CachedTables:
    return CachedTables(inner, revisions)


async def pin(tables: CachedTables, dataset: str = "iris", version: int = 0, sheet: str = "") -> int:
    return (await tables.by_name(PROJECT, dataset, version, sheet, field="f")).num_rows


async def test_the_same_pin_is_asked_for_once(tables: CachedTables, inner: CountedTables) -> None:
    assert [await pin(tables), await pin(tables), await pin(tables, "projects/demo/datasets/iris")] == [1, 1, 1]
    assert len(inner.asked) == 1


async def test_a_new_version_is_seen_at_once(tables: CachedTables, revisions: Revisions) -> None:
    assert await pin(tables) == 1
    revisions.revisions["demo/iris"] = 7
    assert await pin(tables) == 2


async def test_versions_and_sheets_are_told_apart(tables: CachedTables) -> None:
    assert [await pin(tables), await pin(tables, version=1), await pin(tables, sheet="two")] == [1, 2, 3]


async def test_a_dataset_that_the_index_does_not_know_is_not_remembered(tables: CachedTables) -> None:
    assert [await pin(tables, "wine"), await pin(tables, "wine")] == [1, 2]


async def test_another_projects_dataset_is_asked_for_each_time_since_rights_differ_p29(tables: CachedTables) -> None:
    assert [await pin(tables, "projects/other/datasets/iris") for _ in range(2)] == [1, 2]


async def test_a_bad_name_gets_the_stores_own_answer(tables: CachedTables) -> None:
    with pytest.raises(InvalidName):
        await pin(tables, "bad name!")


async def test_paths_are_looked_at_each_time(tables: CachedTables) -> None:
    assert (await tables.by_path(PROJECT, "iris.csv", "", field="f")).num_rows == 150


async def test_the_memory_is_bounded(tables: CachedTables, inner: CountedTables) -> None:
    for version in range(TABLES_KEPT + 5):
        await pin(tables, version=version)
    assert len(tables._remembered) == TABLES_KEPT
    await pin(tables, version=0)
    assert len(inner.asked) == TABLES_KEPT + 6
