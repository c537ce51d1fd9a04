"""The limits."""

from headway.contract import limits


def test_a_chunk_fits_into_a_message() -> None:
    assert limits.CHUNK_BYTES <= limits.UPLOAD_CHUNK_MAX_BYTES < limits.UNARY_MESSAGE_MAX_BYTES


def test_a_page_by_default_is_no_larger_than_the_largest() -> None:
    assert 0 < limits.PAGE_SIZE_DEFAULT <= limits.PAGE_SIZE_MAX
