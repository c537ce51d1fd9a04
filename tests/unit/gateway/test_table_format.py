import pytest

from gateway.table_format import check_file_name, format_of
from headway.contract.errors import ArchiveNotSupported, InvalidTable


@pytest.mark.parametrize(
    ("name", "asked", "found"),
    [
        ("x.csv", "", "csv"),
        ("X.CSV", "", "csv"),
        ("x.tsv", "", "csv"),
        ("x.xls", "", "xls"),
        ("x.xlsx", "", "xlsx"),
        ("x.parquet", "", "parquet"),
        ("x.txt", "", "txt"),
        ("x.jsonl", "", "jsonl"),
        ("x.csv", "txt", "txt"),
        ("data", "csv", "csv"),
    ],
)
def test_a_format_is_told_by_name_unless_it_is_given(name: str, asked: str, found: str) -> None:
    assert format_of(name, asked, field="f") == found


@pytest.mark.parametrize("name", ["x.csv.gz", "x.zip", "x.tar", "x.7z"])
def test_an_archive_is_refused_by_name(name: str) -> None:
    with pytest.raises(ArchiveNotSupported):
        format_of(name, "", field="f")


@pytest.mark.parametrize(("name", "asked"), [("x", ""), ("x.exe", ""), ("x.csv", "pickle"), (".csv.", "")])
def test_an_unknown_format_is_refused_with_the_known_ones(name: str, asked: str) -> None:
    with pytest.raises(InvalidTable) as caught:
        format_of(name, asked, field="f")
    assert "parquet" in caught.value.violations[0].allowed


@pytest.mark.parametrize("name", ["", "a/b.csv", "..", "a\\b", "a\nb", "x" * 129, "a\u202eb"])
def test_only_a_plain_name_is_a_file_name(name: str) -> None:
    with pytest.raises(InvalidTable):
        check_file_name(name, field="f")


def test_a_plain_name_is_returned() -> None:
    assert check_file_name("größe 2.csv", field="f") == "größe 2.csv"
