"""Rows B16, B17 and C of the abuse corpus, as far as they are met when a file is taken in.

After every row a good file is still taken in.
"""

import asyncio
import gzip
import io
import json
import os
import socket
import stat
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import polars as pl
import pytest

from gateway.data_root import DataRoot, OpenFile
from headway.contract.digests import sha256_of
from headway.contract.errors import Code, InvalidDataPath
from headway.contract.limits import FIELD_MAX_BYTES, TABLE_COLUMNS_MAX
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.datasets_service_pb2 import CreateDatasetRequest, PreviewDatasetRequest
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.result_bundles import upload

IA = Code.INVALID_ARGUMENT
GOOD = b"a,b\n1,2\n3,4\n"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path) as gateway:
        (gateway.data / "good.csv").write_bytes(GOOD)
        (gateway.data / "a").mkdir()
        # What the dots would lead to is there, and readable.
        (gateway.home / "secret.csv").write_bytes(GOOD)
        yield gateway


async def refused(gateway: BytesGateway, data_path: str) -> RemoteError:
    """The error of taking a file in; a good one is taken in right after."""
    with pytest.raises(RemoteError) as caught:
        await answer(gateway.dataset.CreateDataset(CreateDatasetRequest(parent=PARENT, data_path=data_path)))
    taken = await gateway.dataset.CreateDataset(CreateDatasetRequest(parent=PARENT, data_path="good.csv"))
    assert taken.num_rows == 2
    assert str(gateway.home) not in caught.value.message
    return caught.value


# --- B16, B17: the path --------------------------------------------------------------------------------------------


def _link_out(data: Path) -> None:
    (data / "x.csv").symlink_to("/etc/passwd")


def _link_in(data: Path) -> None:
    (data / "x.csv").symlink_to("good.csv")


def _folder_link_out(data: Path) -> None:
    (data / "d").symlink_to("/etc")


def _hard_link(data: Path) -> None:
    (data.parent / "secret.csv").write_bytes(GOOD)
    (data / "x.csv").hardlink_to(data.parent / "secret.csv")


def _fifo(data: Path) -> None:
    os.mkfifo(data / "x.csv")


def _folder(data: Path) -> None:
    (data / "x.csv").mkdir()


def _socket(data: Path) -> None:
    # An address of a socket has at most 108 characters.
    here = Path.cwd()
    os.chdir(data)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("x.csv")
    finally:
        os.chdir(here)


def _device(data: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(data / "x.csv", stat.S_IFCHR | 0o600, os.makedev(1, 5))


def _deep(data: Path) -> None:
    folder = data
    for _ in range(60):
        folder /= "d"
    folder.mkdir(parents=True)
    (folder / "x.csv").write_bytes(GOOD)


def _nothing(_: Path) -> None: ...


PATHS: list[tuple[str, Callable[[Path], None], str, str]] = [
    ("dots", _nothing, "../secret.csv", "DATA_PATH"),
    ("dots inside", _nothing, "a/../../secret.csv", "DATA_PATH"),
    ("absolute", _nothing, "/etc/passwd", "DATA_PATH"),
    ("proc", _nothing, "/proc/self/environ", "DATA_PATH"),
    ("zero", _nothing, "/dev/zero", "DATA_PATH"),
    ("home", _nothing, "~/x.csv", "DATA_PATH"),
    ("backslash", _nothing, "..\\secret.csv", "DATA_PATH"),
    ("newline", _nothing, "x\n.csv", "DATA_PATH"),
    ("NUL", _nothing, "x\0.csv", "DATA_PATH"),
    ("empty part", _nothing, "./", "DATA_PATH"),
    ("long", _nothing, "x" * 5000, "DATA_PATH"),
    ("missing", _nothing, "missing.csv", "DATA_PATH"),
    ("link out", _link_out, "x.csv", "DATA_PATH"),
    ("link in", _link_in, "x.csv", "DATA_PATH"),
    ("folder link", _folder_link_out, "d/passwd", "DATA_PATH"),
    ("hard link", _hard_link, "x.csv", "DATA_PATH"),
    ("FIFO", _fifo, "x.csv", "DATA_PATH"),
    ("folder", _folder, "x.csv", "DATA_PATH"),
    ("socket", _socket, "x.csv", "DATA_PATH"),
    ("device", _device, "x.csv", "DATA_PATH"),
    ("60 deep", _deep, "d/" * 60 + "x.csv", "DATA_PATH"),
    ("http", _nothing, "http://169.254.169.254/latest", "SCHEME"),
    ("file", _nothing, "file:///etc/passwd", "SCHEME"),
    ("s3", _nothing, "s3://bucket/x.csv", "SCHEME"),
    ("scheme without slashes", _nothing, "file:passwd", "SCHEME"),
]


@pytest.mark.parametrize(("row", "prepare", "data_path", "reason"), PATHS, ids=[row[0] for row in PATHS])
async def test_a_path_that_is_no_regular_file_below_the_root_is_refused(
    gateway: BytesGateway, row: str, prepare: Callable[[Path], None], data_path: str, reason: str
) -> None:
    prepare(gateway.data)
    error = await refused(gateway, data_path)
    assert (row, error.code, error.reason) == (row, IA, reason)
    assert error.violations[0].field == "data_path"


def test_b16_a_link_that_is_swapped_in_after_any_check_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two system calls of the look-up a folder becomes a link out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv").write_bytes(b"secret")
    real_open = os.open

    for swap_before in range(1, 4):
        root = tmp_path / f"root{swap_before}"
        (root / "d").mkdir(parents=True)
        (root / "d" / "x.csv").write_bytes(GOOD)
        num_opened = 0

        def swapping_open(
            path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None, root: Path = root
        ) -> int:
            nonlocal num_opened
            num_opened += 1
            if num_opened == swap_before:  # noqa: B023 - called within this round of the loop
                (root / "d").rename(root / "was")
                (root / "d").symlink_to(outside)
            return real_open(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", swapping_open)
        assert _content_of(root) in (GOOD, None)
        monkeypatch.undo()


def _content_of(root: Path) -> bytes | None:
    try:
        opened: OpenFile = DataRoot(root).open("d/x.csv")
    except InvalidDataPath:
        return None
    with opened.file as file:
        return file.read()


# --- C: the content ------------------------------------------------------------------------------------------------


def _zip(name: str = "../x.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, GOOD)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.csv"))
    return buffer.getvalue()


def _xlsx_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (64 * 1024 * 1024))
        for at in range(17):
            archive.writestr(f"xl/worksheets/sheet{at}.xml", b" " * (64 * 1024 * 1024))
    return buffer.getvalue()


CONTENTS: list[tuple[str, str, bytes, str, str]] = [
    ("C1 empty", "x.csv", b"", "NOT_ENOUGH_ROWS", "line 1"),
    ("C1 only newlines", "x.csv", b"\n\n\n", "NOT_ENOUGH_ROWS", ""),
    ("C2 header only", "x.csv", b"a,b\n", "NOT_ENOUGH_ROWS", "0 rows"),
    ("C3 one row", "x.csv", b"a,b\n1,2\n", "NOT_ENOUGH_ROWS", "1 rows"),
    ("C4 ragged short", "x.csv", b"a,b\n1,2\n3\n", "INVALID_TABLE", "line 3"),
    ("C4 ragged long", "x.csv", b"a,b\n1,2\n3,4\n5,6,7\n", "INVALID_TABLE", "line 4"),
    ("C5 doubled header", "x.csv", b"a,b,a\n1,2,3\n4,5,6\n", "INVALID_TABLE", "columns 1 and 3"),
    ("C5 doubled but for space", "x.csv", b"a, a\n1,2\n3,4\n", "INVALID_TABLE", "columns 1 and 2"),
    ("C6 empty header", "x.csv", b"a,,c\n1,2,3\n4,5,6\n", "INVALID_TABLE", "column 2 has no name"),
    ("C7 NUL", "x.csv", b"a,b\n1,2\n3,\0\n", "ENCODING", "line 3"),
    ("C8 UTF-16", "x.csv", "a,b\n1,2\n3,4\n".encode("utf-16"), "ENCODING", "UTF-16"),
    ("C9 invalid UTF-8", "x.csv", b"a,b\n1,2\n3,\xff\n", "ENCODING", "UTF-8"),
    ("C9 Latin-1", "x.csv", "a,b\n1,ä\n3,4\n".encode("latin-1"), "ENCODING", "UTF-8"),
    ("C11 one long field", "x.csv", b"a,b\n1," + b"x" * (3 * FIELD_MAX_BYTES), "FIELD_TOO_LONG", "line 2"),
    ("C11 no newline at all", "x.csv", b"x" * (3 * FIELD_MAX_BYTES), "FIELD_TOO_LONG", "line 1"),
    ("C12 a million columns", "x.csv", b",".join(b"c%d" % at for at in range(10**6)), "TOO_MANY_COLUMNS", "line 1"),
    (
        "C12 one column too many",
        "x.csv",
        b",".join(b"c%d" % at for at in range(TABLE_COLUMNS_MAX + 1)) + b"\n",
        "TOO_MANY_COLUMNS",
        "line 1",
    ),
    ("C13 unclosed quote", "x.csv", b'a,b\n1,2\n3,"4\n5,6\n', "FIELD_TOO_LONG", "quote"),
    (
        "C13 unclosed quote, long",
        "x.csv",
        b'a,b\n1,2\n3,"' + b"4\n" * FIELD_MAX_BYTES,
        "FIELD_TOO_LONG",
        "quote",
    ),
    ("C13 quote in the middle", "x.csv", b'a,b\n1,"2"3\n4,5\n', "INVALID_TABLE", "line 2"),
    ("C18 gzip", "x.csv.gz", gzip.compress(GOOD), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18 gzip named csv", "x.csv", gzip.compress(GOOD), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18 zip", "x.zip", _zip(), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18 zip named csv", "x.csv", _zip(), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18 tar", "x.tar", _tar(), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18 bomb as xlsx", "x.xlsx", _xlsx_bomb(), "INVALID_TABLE", "unpacks to more"),
    ("xlsx of another zip", "x.xlsx", _zip(), "INVALID_TABLE", "xlsx"),
    ("xls garbage", "x.xls", os.urandom(5000), "INVALID_TABLE", "xls"),
    ("parquet garbage", "x.parquet", b"PAR1" + os.urandom(5000) + b"PAR1", "INVALID_TABLE", "parquet"),
    ("text with NUL", "x.txt", b"hello\0", "ENCODING", "NUL"),
    ("text not UTF-8", "x.txt", b"hello\xff\xfe", "ENCODING", "UTF-8"),
    ("text empty", "x.txt", b"", "NOT_ENOUGH_ROWS", ""),
    ("unknown ending", "x.exe", b"MZ", "INVALID_TABLE", "format"),
]


@pytest.mark.parametrize(("row", "name", "content", "reason", "says"), CONTENTS, ids=[row[0] for row in CONTENTS])
async def test_a_file_that_is_no_table_is_refused_by_line_or_column(
    gateway: BytesGateway, row: str, name: str, content: bytes, reason: str, says: str
) -> None:
    (gateway.data / name).write_bytes(content)
    error = await refused(gateway, name)
    assert (row, error.code, error.reason) == (row, IA, reason)
    assert says in error.message
    assert error.violations
    assert list((gateway.home / "gateway").rglob("*.part")) == []


@pytest.mark.parametrize(
    ("name", "content", "columns", "num_rows"),
    [
        ("comma.csv", b"a,b\n1,2\n3,4\n", ["a", "b"], 2),
        ("semicolon.csv", b"a;b\n1,5;2\n3,5;4\n", ["a", "b"], 2),
        ("tab.tsv", b"a\tb\n1\t2\n3\t4\n", ["a", "b"], 2),
        ("pipe.csv", b"a|b\n1|2\n3|4\n", ["a", "b"], 2),
        ("bom.csv", b"\xef\xbb\xbfa,b\n1,2\n3,4\n", ["a", "b"], 2),
        ("crlf.csv", b"a,b\r\n1,2\r\n3,4\r\n", ["a", "b"], 2),
        ("cr.csv", b"a,b\r1,2\r3,4\r", ["a", "b"], 2),
        ("one_column.csv", b"a\n1\n2\n", ["a"], 2),
        ("quotes.csv", b'a,b\n"x, ""y""\nz",2\n3,4\n', ["a", "b"], 2),
        ("blank_lines.csv", b"a,b\n1,2\n\n3,4\n\n", ["a", "b"], 2),
        ("formula.csv", b"a,b\n=cmd|' /C calc'!A0,2\n3,4\n", ["a", "b"], 2),
        ("unicode.csv", "größe,名前\n1,é\n2,\U0001f600\n".encode(), ["größe", "名前"], 2),
        ("emoji.txt", "\U0001f600".encode() * 100_000, [], 0),
        ("rows.jsonl", b'{"text": "x"}\n', [], 0),
    ],
)
async def test_a_good_file_is_taken_in_as_it_is(
    gateway: BytesGateway, name: str, content: bytes, columns: list[str], num_rows: int
) -> None:
    (gateway.data / name).write_bytes(content)
    dataset = await gateway.dataset.CreateDataset(CreateDatasetRequest(parent=PARENT, data_path=name))
    assert (list(dataset.columns), dataset.num_rows, dataset.digest) == (columns, num_rows, sha256_of(content))


async def test_excel_and_parquet_are_read_too(gateway: BytesGateway) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    frame.write_parquet(gateway.data / "t.parquet")
    dataset = await gateway.dataset.CreateDataset(CreateDatasetRequest(parent=PARENT, data_path="t.parquet"))
    assert (list(dataset.columns), dataset.num_rows) == (["a", "b"], 3)
    preview = await gateway.dataset.PreviewDataset(PreviewDatasetRequest(name=dataset.name, num_rows=2))
    assert [list(row.cells) for row in preview.rows] == [["1", "x"], ["2", ""]]


async def test_an_unchanged_file_is_not_read_again(gateway: BytesGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    request = CreateDatasetRequest(parent=PARENT, data_path="good.csv")
    first = await gateway.dataset.CreateDataset(request)
    stored = gateway.blobs.path("demo", first.digest)
    os.utime(stored, (0, 0))
    assert await gateway.dataset.CreateDataset(request) == first
    # Had it been read again, it would have been written again.
    assert stored.stat().st_mtime == 0

    (gateway.data / "good.csv").write_bytes(GOOD + b"5,6\n")
    assert (await gateway.dataset.CreateDataset(request)).version == 2


async def test_many_who_ask_for_one_file_share_one_copy(gateway: BytesGateway) -> None:
    (gateway.data / "big.csv").write_bytes(b"a,b\n" + b"1,2\n" * 500_000)
    request = CreateDatasetRequest(parent=PARENT, data_path="big.csv")
    answers = await asyncio.gather(*(gateway.dataset.CreateDataset(request) for _ in range(8)))
    assert {dataset.version for dataset in answers} == {1}


async def test_a_preview_is_cut_to_what_a_person_reads(gateway: BytesGateway) -> None:
    (gateway.data / "wide.csv").write_bytes(b"a,b\n" + b"x" * 5000 + b",2\n3,4\n")
    dataset = await gateway.dataset.CreateDataset(CreateDatasetRequest(parent=PARENT, data_path="wide.csv"))
    preview = await gateway.dataset.PreviewDataset(PreviewDatasetRequest(name=dataset.name))
    assert len(preview.rows[0].cells[0]) == 256


async def test_an_upload_needs_a_plain_file_name_and_a_blob(gateway: BytesGateway) -> None:
    await upload(gateway, GOOD)
    for file_name, reason in (("", "INVALID_TABLE"), ("../x.csv", "INVALID_TABLE"), ("x\n.csv", "INVALID_TABLE")):
        request = CreateDatasetRequest(parent=PARENT, digest=sha256_of(GOOD), file_name=file_name)
        with pytest.raises(RemoteError) as caught:
            await answer(gateway.dataset.CreateDataset(request))
        assert (caught.value.code, caught.value.reason) == (IA, reason)
    request = CreateDatasetRequest(parent=PARENT, digest=sha256_of(b"never sent"), file_name="x.csv")
    with pytest.raises(RemoteError) as caught:
        await answer(gateway.dataset.CreateDataset(request))
    assert caught.value.code is Code.NOT_FOUND


def test_the_rows_are_json_safe() -> None:
    """What an error says can be logged on one line."""
    assert all(json.dumps(row[4]) for row in CONTENTS)
