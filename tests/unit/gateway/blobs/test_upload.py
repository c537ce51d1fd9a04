from pathlib import Path

import pytest
from isal import isal_zlib

from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.blobs.upload import Upload, UploadRequest
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, HeadwayError, InvalidGzip, SizeMismatch, WrongOffset
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_GZIP, BLOB_ENCODING_IDENTITY

CONTENT = bytes(range(256)) * 40
DIGEST = sha256_of(CONTENT)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path, BlobSettings())
    store.prepare()
    return store


def a_request(*, offset: int = 0, size: int = len(CONTENT), digest: str = DIGEST, gzip: bool = False) -> UploadRequest:
    encoding = BLOB_ENCODING_GZIP if gzip else BLOB_ENCODING_IDENTITY
    return UploadRequest(project="demo", digest=digest, size_bytes=size, encoding=encoding, offset_bytes=offset)


def begun(store: BlobStore, request: UploadRequest) -> Upload:
    upload = Upload(store, request)
    upload.begin()
    return upload


def test_a_whole_upload_is_visible(store: BlobStore) -> None:
    upload = begun(store, a_request(gzip=True))
    upload.write([isal_zlib.compress(CONTENT, 1, wbits=31)])
    assert store.find("demo", DIGEST) is None
    assert upload.finish().digest == DIGEST
    assert store.read("demo", DIGEST, 10**6) == CONTENT


def test_an_interrupted_upload_goes_on_where_it_was(store: BlobStore) -> None:
    upload = begun(store, a_request())
    upload.write([CONTENT[:3000]])
    upload.interrupt()
    assert store.kept_size("demo", DIGEST) == 3000
    # Each call is a gzip member of its own.
    upload = begun(store, a_request(offset=3000, gzip=True))
    upload.write([isal_zlib.compress(CONTENT[3000:], 1, wbits=31)])
    upload.finish()
    assert store.read("demo", DIGEST, 10**6) == CONTENT


@pytest.mark.parametrize("offset", [1, 2999, 3001, len(CONTENT)])
def test_another_offset_than_the_kept_one_is_refused_and_told(store: BlobStore, offset: int) -> None:
    upload = begun(store, a_request())
    upload.write([CONTENT[:3000]])
    upload.interrupt()
    with pytest.raises(WrongOffset) as caught:
        begun(store, a_request(offset=offset))
    assert caught.value.metadata["committed_size_bytes"] == "3000"
    assert store.kept_size("demo", DIGEST) == 3000


def test_offset_zero_begins_anew_whatever_is_kept(store: BlobStore) -> None:
    """A bad beginning that somebody left must not make the good upload fail."""
    bad = begun(store, a_request())
    bad.write([bytes(3000)])
    bad.interrupt()
    upload = begun(store, a_request())
    upload.write([CONTENT])
    assert upload.finish().digest == DIGEST


def test_a_bad_beginning_is_found_out_and_thrown_away(store: BlobStore) -> None:
    bad = begun(store, a_request())
    bad.write([bytes(3000)])
    bad.interrupt()
    upload = begun(store, a_request(offset=3000))
    upload.write([CONTENT[3000:]])
    with pytest.raises(DigestMismatch):
        upload.finish()
    upload.abandon()
    assert store.kept_size("demo", DIGEST) == 0
    assert store.find("demo", DIGEST) is None


def test_more_than_declared_is_cut_before_it_is_written(store: BlobStore, tmp_path: Path) -> None:
    upload = begun(store, a_request(size=100))
    with pytest.raises(SizeMismatch):
        upload.write([CONTENT[:100], b"x"])
    assert [path.stat().st_size for path in tmp_path.rglob("*.part")] == [100]
    upload.abandon()
    assert list(tmp_path.rglob("*.part")) == []


@pytest.mark.parametrize("error", [SizeMismatch, InvalidGzip])
def test_a_stream_that_ends_early_is_kept(store: BlobStore, error: type[HeadwayError]) -> None:
    """A connection that breaks can look like a stream that ends."""
    upload = begun(store, a_request(gzip=error is InvalidGzip))
    stream = isal_zlib.compress(CONTENT, 0, wbits=31) if error is InvalidGzip else CONTENT
    upload.write([stream[:-9]])
    with pytest.raises(error):
        upload.finish()
    assert store.kept_size("demo", DIGEST) > 0


def test_nothing_is_kept_of_an_upload_that_brought_nothing(store: BlobStore, tmp_path: Path) -> None:
    begun(store, a_request()).interrupt()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_abandon_after_finish_leaves_the_blob(store: BlobStore) -> None:
    upload = begun(store, a_request())
    upload.write([CONTENT])
    upload.finish()
    upload.interrupt()
    upload.abandon()
    assert store.find("demo", DIGEST) is not None
