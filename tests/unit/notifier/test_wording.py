"""Numbers in words."""

import pytest

from notifier.messages import Fact
from notifier.wording import counts, figures, in_words, size_in_words, words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (245.0, "4 min 05 s"),
        (3600.0, "1 h 00 min"),
        (7380.0, "2 h 03 min"),
    ],
)
def test_spans(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


@pytest.mark.parametrize(
    ("num_bytes", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 1024**2, "3.0 MiB"), (5 * 1024**4, "5.0 TiB")],
)
def test_sizes(num_bytes: int, said: str) -> None:
    assert size_in_words(num_bytes) == said


def test_what_is_not_known_is_left_out() -> None:
    assert figures(("a", float("nan")), ("b", 0.123456), ("c", float("inf"))) == [Fact("b", "0.1235")]
    assert counts(("a", 0), ("b", 12345), ("c", -1)) == [Fact("b", "12,345")]
    assert words(("a", ""), ("b", "x")) == [Fact("b", "x")]
