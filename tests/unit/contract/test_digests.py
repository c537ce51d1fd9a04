"""The identity of bytes."""

import hashlib

import pytest

from headway.contract.digests import check_digest, digest_of_hash, hex_of, sha256_of
from headway.contract.errors import InvalidDigest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_known_one() -> None:
    assert sha256_of(b"") == digest_of_hash(hashlib.sha256()) == EMPTY


def test_a_digest_is_taken_and_its_hex_part_told() -> None:
    assert check_digest("f", EMPTY) == EMPTY
    assert hex_of(EMPTY) == EMPTY[7:]


@pytest.mark.parametrize("text", ["", EMPTY[:-1], EMPTY.upper(), EMPTY + "\n", EMPTY[7:], "md5:" + EMPTY[7:]])
def test_anything_else_is_refused(text: str) -> None:
    """D19."""
    with pytest.raises(InvalidDigest) as caught:
        check_digest("header.digest", text)
    assert caught.value.violations[0].field == "header.digest"
