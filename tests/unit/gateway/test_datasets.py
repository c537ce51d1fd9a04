from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.dataset_tables import DatasetTables
from gateway.datasets import NewDataset
from headway.contract.digests import sha256_of
from headway.contract.errors import InvalidDataPath, InvalidTable, NotFound, PermissionDenied, UnknownDataset
from headway.contract.ids import DatasetName
from headway.runtime.principal import Principal, acting_as
from headway.testing.memory_bus import MemoryBus
from tests.bytes_gateway import ANYBODY, BytesGateway, bytes_gateway
from tests.excel_files import excel
from tests.result_bundles import upload

TABLE = b"a,b\n1,2\n3,4\n"


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        (gateway.data / "dir").mkdir()
        (gateway.data / "dir" / "t.csv").write_bytes(TABLE)
        with acting_as(ANYBODY):
            yield gateway


@pytest.fixture
def tables(gateway: BytesGateway) -> DatasetTables:
    return DatasetTables(gateway.datasets, gateway.reader)


async def test_a_path_is_pinned_by_digest(gateway: BytesGateway, tables: DatasetTables) -> None:
    table = await tables.by_path("demo", "dir/t.csv", "", field="spec.data_path")
    assert (table.columns, table.num_rows) == (("a", "b"), 2)
    pinned = table.pinned
    assert (pinned.digest, pinned.size_bytes, pinned.format, pinned.version) == (sha256_of(TABLE), 12, "csv", 1)
    assert (pinned.role, pinned.file_name) == ("table", "t.csv")
    assert gateway.blobs.find("demo", pinned.digest) is not None


async def test_an_unchanged_path_is_answered_without_a_copy(
    gateway: BytesGateway, tables: DatasetTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await tables.by_path("demo", "dir/t.csv", "", field="f")

    async def never(*_: object, **__: object) -> None:
        pytest.fail("the file was read again")

    monkeypatch.setattr(gateway.intake, "take_in", never)
    assert await tables.by_path("demo", "./dir//t.csv", "", field="f") == first


async def test_a_path_whose_blob_is_lost_is_taken_in_again(gateway: BytesGateway, tables: DatasetTables) -> None:
    first = await tables.by_path("demo", "dir/t.csv", "", field="f")
    gateway.blobs.path("demo", first.pinned.digest).unlink()
    assert await tables.by_path("demo", "dir/t.csv", "", field="f") == first
    assert gateway.blobs.find("demo", first.pinned.digest) is not None


async def test_a_pin_stays_when_the_file_changes(gateway: BytesGateway, tables: DatasetTables) -> None:
    first = await tables.by_path("demo", "dir/t.csv", "", field="f")
    (gateway.data / "dir" / "t.csv").write_bytes(TABLE + b"5,6\n")
    second = await tables.by_path("demo", "dir/t.csv", "", field="f")
    assert (first.pinned.version, second.pinned.version) == (1, 2)
    old = await tables.by_name("demo", first.pinned.dataset, 1, "", field="f")
    assert old.pinned.digest == first.pinned.digest
    newest = await tables.by_name("demo", first.pinned.dataset, 0, "", field="f")
    assert newest.pinned.digest == second.pinned.digest


async def test_a_dataset_is_named_in_full_or_within_the_project(gateway: BytesGateway, tables: DatasetTables) -> None:
    await upload(gateway, TABLE)
    await gateway.datasets.create(
        NewDataset(project="demo", dataset_id="d", digest=sha256_of(TABLE), file_name="t.csv")
    )
    bare = await tables.by_name("demo", "d", 0, "", field="f")
    assert await tables.by_name("demo", "projects/demo/datasets/d", 1, "", field="f") == bare


@pytest.mark.parametrize(("dataset", "version"), [("nothing", 0), ("projects/demo/datasets/x", 1)])
async def test_an_unknown_dataset_is_the_specs_fault(tables: DatasetTables, dataset: str, version: int) -> None:
    with pytest.raises(UnknownDataset) as caught:
        await tables.by_name("demo", dataset, version, "", field="job.spec.tabular_train.dataset")
    assert caught.value.violations[0].field == "job.spec.tabular_train.dataset"


async def test_a_dataset_of_a_foreign_project_is_not_told_of(tables: DatasetTables) -> None:
    mine = Principal(key_id="k", user_id="", scopes=frozenset({"submit"}), projects=frozenset({"demo"}))
    with acting_as(mine), pytest.raises(PermissionDenied):
        await tables.by_name("demo", "projects/other/datasets/d", 0, "", field="f")


async def test_text_is_no_table_to_train_on(gateway: BytesGateway, tables: DatasetTables) -> None:
    (gateway.data / "t.txt").write_bytes(b"hello")
    with pytest.raises(InvalidTable, match="not a table"):
        await tables.by_path("demo", "t.txt", "", field="f")


async def test_only_excel_files_have_sheets(tables: DatasetTables) -> None:
    with pytest.raises(InvalidTable, match="no sheets") as caught:
        await tables.by_path("demo", "dir/t.csv", "Sheet1", field="job.spec.tabular_train.data_path")
    assert caught.value.violations[0].field == "job.spec.tabular_train.sheet_name"


async def test_a_sheet_is_chosen_by_name(gateway: BytesGateway, tables: DatasetTables) -> None:
    sheets = {"One": [["a", "b"], ["1", "2"], ["3", ""]], "Two": [["p"], ["1"], ["2"], ["3"]]}
    (gateway.data / "t.xlsx").write_bytes(excel(sheets))
    first = await tables.by_path("demo", "t.xlsx", "", field="f")
    assert (first.columns, first.num_rows) == (("a", "b"), 2)
    second = await tables.by_path("demo", "t.xlsx", "Two", field="f")
    assert (second.columns, second.num_rows) == (("p",), 3)
    with pytest.raises(InvalidTable, match="One, Two"):
        await tables.by_path("demo", "t.xlsx", "Three", field="f")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["a", "a"], ["1", "2"], ["3", "4"]], "columns 1 and 2"),
        ([["a", "", "c"], ["1", "2", "3"], ["4", "5", "6"]], "column 2 has no name"),
        ([["a", "b"], ["1", "2"]], "1 rows"),
        ([], "empty"),
    ],
)
async def test_an_excel_header_follows_the_rules_of_csv(
    gateway: BytesGateway, tables: DatasetTables, rows: list[list[str]], says: str
) -> None:
    (gateway.data / "t.xlsx").write_bytes(excel({"One": rows}))
    with pytest.raises(InvalidTable, match=says):
        await tables.by_path("demo", "t.xlsx", "", field="f")


async def test_a_wide_table_keeps_its_columns(gateway: BytesGateway, tables: DatasetTables) -> None:
    """The record has no room for them, so they come from the file."""
    names = [f"column_{at:04}_{'x' * 20}" for at in range(3000)]
    content = (",".join(names) + "\n" + ("1," * 2999 + "1\n") * 2).encode()
    (gateway.data / "wide.csv").write_bytes(content)
    assert list((await tables.by_path("demo", "wide.csv", "", field="f")).columns) == names
    found = await gateway.datasets.get(DatasetName("demo", "wide"), 0)
    assert list(found.columns) == names


async def test_a_bad_path_names_the_field_it_came_from(tables: DatasetTables) -> None:
    with pytest.raises(InvalidDataPath) as caught:
        await tables.by_path("demo", "../x", "", field="job.spec.tabular_train.data_path")
    assert caught.value.violations[0].field == "job.spec.tabular_train.data_path"


async def test_a_dataset_needs_a_blob_that_was_sent(gateway: BytesGateway) -> None:
    with pytest.raises(NotFound):
        await gateway.datasets.create(NewDataset(project="demo", digest=sha256_of(b"x"), file_name="t.csv"))
    with pytest.raises(NotFound):
        await gateway.datasets.get(DatasetName("demo", "nothing"), 0)
