import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from gateway.blobs.decoders import MAX_PIECE_BYTES, GzipDecoder, IdentityDecoder, decoder_for
from headway.contract.errors import InvalidGzip
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_GZIP, BLOB_ENCODING_IDENTITY, BLOB_ENCODING_UNSPECIFIED

NOISE = random.Random(3).randbytes(3 * MAX_PIECE_BYTES + 17)


def decoded(stream: bytes, chunk_bytes: int) -> bytes:
    decoder = GzipDecoder()
    pieces = []
    for start in range(0, len(stream), chunk_bytes):
        for piece in decoder.decode(stream[start : start + chunk_bytes]):
            assert 0 < len(piece) <= MAX_PIECE_BYTES
            pieces.append(piece)
    decoder.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("chunk_bytes", [1_000, 65_537, 10**9])
@pytest.mark.parametrize("content", [NOISE, bytes(5 * MAX_PIECE_BYTES), bytes(MAX_PIECE_BYTES), b"x"])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_member_comes_out_as_it_went_in(content: bytes, chunk_bytes: int, level: int) -> None:
    assert decoded(isal_zlib.compress(content, level, wbits=31), chunk_bytes) == content


@given(st.binary(max_size=2000), st.integers(1, 64))
def test_any_content_in_any_chunks(content: bytes, chunk_bytes: int) -> None:
    assert decoded(gzip.compress(content), chunk_bytes) == content


def test_an_empty_content_is_a_member_too() -> None:
    assert decoded(gzip.compress(b""), 7) == b""


@given(st.binary(max_size=500), st.data())
def test_a_member_that_is_cut_anywhere_is_refused(content: bytes, data: st.DataObject) -> None:
    stream = gzip.compress(content)
    cut = data.draw(st.integers(0, len(stream) - 1))
    with pytest.raises(InvalidGzip):
        decoded(stream[:cut], 64)


@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_flipped_bit_never_passes_as_other_content(content: bytes, data: st.DataObject) -> None:
    stream = bytearray(gzip.compress(content, mtime=0))
    at = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[at // 8] ^= 1 << at % 8
    try:
        assert decoded(bytes(stream), 64) == content
    except InvalidGzip:
        return


def test_a_small_chunk_of_a_bomb_comes_out_in_pieces_that_can_be_stopped() -> None:
    stream = isal_zlib.compress(bytes(64 * MAX_PIECE_BYTES), 3, wbits=31)
    pieces = GzipDecoder().decode(stream)
    assert len(next(pieces)) == MAX_PIECE_BYTES
    assert len(next(pieces)) == MAX_PIECE_BYTES


def test_the_encoding_chooses() -> None:
    assert isinstance(decoder_for(BLOB_ENCODING_GZIP), GzipDecoder)
    assert isinstance(decoder_for(BLOB_ENCODING_IDENTITY), IdentityDecoder)
    assert isinstance(decoder_for(BLOB_ENCODING_UNSPECIFIED), IdentityDecoder)
    assert list(IdentityDecoder().decode(b"x")) == [b"x"]
