import pytest

from gateway.data_root import FileFacts
from gateway.dataset_versions import (
    COLUMNS_MAX_CHARACTERS,
    ORIGINS_MAX,
    VERSIONS_MAX,
    dataset_id_for,
    find_origin,
    find_version,
    with_version,
)
from headway.contract.errors import TooManyVersions, UnknownDataset
from headway.contract.ids import check_dataset_id
from headway.contract.subjects import MAX_RECORD_BYTES
from headway.v1.datasets_pb2 import Dataset
from headway.v1.records_pb2 import DatasetRecord

FACTS = FileFacts("dir/x.csv", 10, 1, 2)


def a_version(number: int, columns: tuple[str, ...] = ("a",)) -> Dataset:
    digest = f"sha256:{number:064x}"
    return Dataset(name="projects/p/datasets/d", digest=digest, format="csv", columns=columns, size_bytes=10)


def grown(record: DatasetRecord, wanted: Dataset, origin: FileFacts | None = None) -> DatasetRecord:
    changed = with_version(record, wanted, origin)
    assert changed is not None
    return changed


def test_versions_count_from_one() -> None:
    record = grown(grown(DatasetRecord(), a_version(1)), a_version(2))
    assert [version.version for version in record.versions] == [1, 2]


def test_the_same_content_changes_nothing() -> None:
    record = grown(DatasetRecord(), a_version(1))
    assert with_version(record, a_version(1), None) is None


def test_the_same_bytes_read_as_another_format_are_another_version() -> None:
    record = grown(DatasetRecord(), a_version(1))
    as_text = a_version(1)
    as_text.format = "txt"
    assert len(grown(record, as_text).versions) == 2


def test_a_file_is_known_again_until_anything_of_it_changes() -> None:
    record = grown(DatasetRecord(), a_version(1), FACTS)
    assert find_origin(record, FACTS) == 1
    for other in (
        FileFacts("dir/y.csv", 10, 1, 2),
        FileFacts("dir/x.csv", 11, 1, 2),
        FileFacts("dir/x.csv", 10, 2, 2),
        FileFacts("dir/x.csv", 10, 1, 3),
    ):
        assert find_origin(record, other) == 0


def test_a_touched_file_of_the_same_bytes_is_the_same_version() -> None:
    record = grown(DatasetRecord(), a_version(1), FACTS)
    touched = FileFacts("dir/x.csv", 10, 99, 2)
    record = grown(record, a_version(1), touched)
    assert (len(record.versions), len(record.origins), find_origin(record, touched)) == (1, 1, 1)


def test_the_record_stays_below_its_bound() -> None:
    record = DatasetRecord()
    name = "projects/" + "p" * 63 + "/datasets/" + "d" * 64
    for number in range(VERSIONS_MAX):
        version = a_version(number, ("c" * 100,) * (COLUMNS_MAX_CHARACTERS // 100))
        version.name, version.file_name = name, "f" * 128
        record = grown(record, version, FileFacts(f"{'p' * 1000}{number}", 10, 1, 2))
    assert len(record.origins) == ORIGINS_MAX
    assert record.ByteSize() < MAX_RECORD_BYTES
    with pytest.raises(TooManyVersions):
        with_version(record, a_version(VERSIONS_MAX + 1), None)


def test_columns_that_are_too_many_are_left_to_the_file() -> None:
    record = grown(DatasetRecord(), a_version(1, ("x" * 1000,) * 100))
    assert list(record.versions[0].columns) == []


@pytest.mark.parametrize("number", [-1, 2])
def test_an_unknown_version_is_refused(number: int) -> None:
    record = grown(DatasetRecord(), a_version(1))
    with pytest.raises(UnknownDataset):
        find_version(record, number, dataset="d", field="version")
    assert find_version(record, 0, dataset="d", field="version").version == 1


@pytest.mark.parametrize(
    ("path", "dataset_id"), [("iris.csv", "iris"), ("iris", "iris"), ("v1.2.csv", "v1.2"), (".hidden.csv", "hidden-")]
)
def test_an_id_is_readable(path: str, dataset_id: str) -> None:
    assert dataset_id_for(path).startswith(dataset_id)


@pytest.mark.parametrize(
    "path", ["Ünïcode.csv", "a b.csv", "dir/x.csv", "x" * 300 + ".csv", "---.csv", "..csv", "A.csv", "名.csv"]
)
def test_every_path_gives_an_id_that_follows_the_pattern(path: str) -> None:
    assert check_dataset_id("dataset_id", dataset_id_for(path))


def test_two_paths_that_read_alike_are_two_datasets() -> None:
    assert dataset_id_for("a/b.csv") != dataset_id_for("a-b.csv")
    assert dataset_id_for("A.csv") != dataset_id_for("a.csv")
