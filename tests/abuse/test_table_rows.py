"""Rows C of the abuse corpus that are answered at submission: data files that are no table, or a hostile one.

C15 and C16 (degenerate targets, impossible dates) are found when the recipe reads the data; C22 and C23 belong to kinds
of a later release.
"""

import errno
import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from headway.runtime.remote_error import answer
from headway.v1.datasets_service_pb2 import ListDatasetsRequest
from headway.v1.datasets_service_pb2_grpc import DatasetServiceStub
from tests.abuse.harness import Row, judge
from tests.jobs_gateway import PARENT, Gateway, a_request, a_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")
MIB = 1024 * 1024
FIELD = "job.spec.tabular_train.data_path"


def _zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "a,b\n1,2\n3,4\n")
    return buffer.getvalue()


def _tar_with_a_device() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        node = tarfile.TarInfo("device")
        node.type = tarfile.CHRTYPE
        archive.addfile(node)
    return buffer.getvalue()


def _gzip_bomb(megabytes: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", compresslevel=9) as packed:
        for _ in range(megabytes):
            packed.write(bytes(MIB))
    return buffer.getvalue()


# Name of the file, its content, the reason, and a word that the message must hold ("line 3" and the like).
FILES: tuple[tuple[str, str, bytes, str, str], ...] = (
    ("C1", "empty.csv", b"", "NOT_ENOUGH_ROWS", ""),
    ("C2", "header.csv", b"sepal,petal,species\n", "NOT_ENOUGH_ROWS", ""),
    ("C3", "one_row.csv", b"sepal,petal,species\n1,2,a\n", "NOT_ENOUGH_ROWS", ""),
    ("C4", "ragged.csv", b"sepal,petal,species\n1,2,a\n1,2\n1,2,b\n", "INVALID_TABLE", "line 3"),
    ("C4", "wide.csv", b"sepal,petal,species\n1,2,a\n1,2,a,4,5\n", "INVALID_TABLE", "line 3"),
    ("C5", "twice.csv", b"sepal,sepal,species\n1,2,a\n1,2,b\n", "INVALID_TABLE", "line 1"),
    ("C6", "nameless.csv", b"sepal,,species\n1,2,a\n1,2,b\n", "INVALID_TABLE", "line 1"),
    ("C7", "nul.csv", b"sepal,petal,species\n1,\x002,a\n1,2,b\n", "ENCODING", ""),
    ("C8", "utf16.csv", "sepal,petal,species\n1,2,a\n1,2,b\n".encode("utf-16"), "ENCODING", "UTF-16"),
    ("C9", "latin1.csv", "sépal,petal,species\n1,2,a\n1,2,b\n".encode("latin-1"), "ENCODING", ""),
    ("C11", "long_field.csv", b"sepal,petal,species\n" + b"x" * (3 * MIB), "FIELD_TOO_LONG", ""),
    ("C12", "million.csv", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n", "TOO_MANY_COLUMNS", ""),
    ("C13", "quote.csv", b'sepal,petal,species\n1,"2,a\n1,2,b\n', "FIELD_TOO_LONG", "quote"),
    ("C13", "long_quote.csv", b'sepal,petal,species\n1,"2,a\n' + b"1,2,b\n" * 200_000, "FIELD_TOO_LONG", "quote"),
    ("C18", "bomb.csv.gz", _gzip_bomb(64), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18", "gzip_named.csv", _gzip_bomb(1), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18", "climbs.zip", _zip_of("../x", "/abs"), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18", "zip_named.csv", _zip_of("a.csv"), "ARCHIVE_NOT_SUPPORTED", ""),
    ("C18", "device.tar", _tar_with_a_device(), "ARCHIVE_NOT_SUPPORTED", ""),
)


def _row(row_id: str, name: str, reason: str) -> Row[Gateway]:
    return Row(
        id=row_id,
        what=name,
        send=lambda gateway: gateway.jobs.CreateJob(a_request(a_spec(data_path=name))),
        reason=reason,
        field=FIELD,
        is_bounded=False,
        max_seconds=3.0,
    )


@pytest.fixture(scope="module", autouse=True)
def files(gateway: Gateway) -> Path:
    """The hostile files, below the data root."""
    data = gateway.home / "data"
    for _, name, content, _, _ in FILES:
        (data / name).write_bytes(content)
    return data


@pytest.mark.parametrize(
    ("row_id", "name", "content", "reason", "word"), FILES, ids=[f"{one[0]} {one[1]}" for one in FILES]
)
async def test_a_file_that_is_no_table_is_refused_p32(
    row_id: str, name: str, content: bytes, reason: str, word: str, gateway: Gateway
) -> None:
    error = await judge(
        _row(row_id, name, reason), gateway, good=lambda: answer(gateway.jobs.CreateJob(a_request(validate_only=True)))
    )
    assert word in f"{error.message} {error.violations}"
    assert str(gateway.home) not in f"{error.message} {error.metadata} {error.violations}"


async def test_no_refused_file_became_a_dataset(gateway: Gateway) -> None:
    await answer(gateway.jobs.CreateJob(a_request(validate_only=True)))
    listed = await answer(DatasetServiceStub(gateway.channel).ListDatasets(ListDatasetsRequest(parent=PARENT)))
    refused = {Path(name).stem for _, name, _, _, _ in FILES}
    assert {one.name.rpartition("/")[2] for one in listed.datasets}.isdisjoint(refused)


async def test_an_unreadable_file_is_refused_without_its_place_c20(
    gateway: Gateway, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by its mode: whoever runs the tests may be allowed to read everything.
    really_open = os.open

    def open_or_refuse(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith("secret.csv"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(files / "secret.csv"))
        return really_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_or_refuse)
    row = _row("C20", "secret.csv", "DATA_PATH")
    error = await judge(row, gateway, good=lambda: answer(gateway.jobs.CreateJob(a_request(validate_only=True))))
    assert str(files) not in f"{error.message} {error.metadata} {error.violations}"


async def test_a_deep_path_is_refused_c20(gateway: Gateway) -> None:
    row = _row("C20", "/".join(["d"] * 200) + "/x.csv", "DATA_PATH")
    await judge(row, gateway, good=lambda: answer(gateway.jobs.CreateJob(a_request(validate_only=True))))


async def test_cells_that_look_like_formulas_are_only_text_c17(gateway: Gateway, files: Path) -> None:
    rows = "".join(f"=cmd|' /C calc'!A0,{number},{'ab'[number % 2]}\n" for number in range(20))
    (files / "formula.csv").write_text("sepal,petal,species\n" + rows)
    spec = a_spec(data_path="formula.csv")
    job = await answer(gateway.jobs.CreateJob(a_request(spec, validate_only=True)))
    assert job.admission.total_steps > 0


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
async def test_every_end_of_line_is_understood_c10(gateway: Gateway, files: Path, end: str) -> None:
    lines = ["sepal,petal,species", *(f"{number},2,{'ab'[number % 2]}" for number in range(20))]
    (files / "ends.csv").write_bytes(end.join(lines).encode())
    job = await answer(gateway.jobs.CreateJob(a_request(a_spec(data_path="ends.csv", epochs=1), validate_only=True)))
    assert job.admission.total_steps == 1
