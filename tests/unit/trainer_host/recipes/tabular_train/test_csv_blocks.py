from pathlib import Path

import pytest

from headway.contract.limits import FIELD_MAX_BYTES
from trainer_host.recipes.tabular_train.csv_blocks import Unclear, check_fields, read_blocks


def blocks(folder: Path, content: bytes) -> list[bytes]:
    path = folder / "table.csv"
    path.write_bytes(content)
    return list(read_blocks(path))


@pytest.mark.parametrize("read_bytes", range(1, 9))
def test_a_block_is_whole_rows_with_one_sort_of_line_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_bytes: int
) -> None:
    monkeypatch.setattr("trainer_host.recipes.tabular_train.csv_blocks._READ_BYTES", read_bytes)
    read = blocks(tmp_path, b'\xef\xbb\xbfa,b\r\n1,"x\r\ny\rz"\r3,4')
    assert all(block.endswith(b"\n") for block in read)
    assert len(read) > 1
    assert b"".join(read) == b'a,b\n1,"x\ny\nz"\n3,4\n'


def test_a_quote_is_not_looked_for_further_back_than_a_field_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer_host.recipes.tabular_train.csv_blocks._READ_BYTES", FIELD_MAX_BYTES * 3 // 2)
    with pytest.raises(Unclear):
        blocks(tmp_path, b'a,b\n1,"' + b"x\n" * FIELD_MAX_BYTES + b'",2\n')


@pytest.mark.parametrize("content", [b"a\n\0\n", b"a\n\xff\n", b"a\n\xc3", b"x" * (32 * FIELD_MAX_BYTES)])
def test_what_is_no_text_or_has_no_end_is_unclear(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unclear):
        blocks(tmp_path, content)


def test_a_quote_that_is_never_closed_is_unclear_after_a_few_blocks(tmp_path: Path) -> None:
    with pytest.raises(Unclear):
        blocks(tmp_path, b'a,b\n1,"' + b"x\n" * (16 * FIELD_MAX_BYTES))


@pytest.mark.parametrize(
    ("rows", "num_rows"),
    [
        (b"1,2\n3,4\n", 2),
        (b'"1","a,b"\n"x\ny",""\n', 2),
        (b'"a""b",1\n"""",2\n', 2),
        (b"\n\n1,2\n\n\n3,4\n\n", 2),
        (b'\n"1",2\n\n3,"\n\n"\n\n', 2),
        (b"", 0),
    ],
)
def test_whole_rows_are_counted_without_blank_lines(rows: bytes, num_rows: int) -> None:
    kept, counted = check_fields(rows, ",", 2)
    assert counted == num_rows
    assert not kept.startswith(b"\n")


@pytest.mark.parametrize(
    "rows", [b"1\n", b"1,2,3\n", b"1,2\n3\n", b'"1"x,2\n', b'1,5" wide\n', b'"1,2\n', b'1,"2" \n', b'"a""b,1\n']
)
def test_rows_that_are_not_as_the_header_says_are_unclear(rows: bytes) -> None:
    with pytest.raises(Unclear):
        check_fields(rows, ",", 2)
