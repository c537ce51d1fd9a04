import pytest

from headway.runtime.interceptors.metadata import read, read_key


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        (None, None),
        ((), None),
        ((("user-agent", "x"),), None),
        ((("x-api-key", "k"),), "k"),
        ((("x-api-key", ""),), ""),
        ((("authorization", "Bearer k"),), "k"),
        ((("authorization", "bearer  k "),), "k"),
        ((("authorization", "Basic k"),), "Basic k"),
        ((("authorization", "Bearer other"), ("x-api-key", "k")), "k"),
        ((("x-api-key", b"bytes"),), None),
    ],
)
def test_the_key_is_found_in_either_header(metadata: tuple[tuple[str, str], ...] | None, key: str | None) -> None:
    assert read_key(metadata) == key


def test_the_first_of_several_values_counts() -> None:
    assert read((("a", "1"), ("a", "2")), "a") == "1"
