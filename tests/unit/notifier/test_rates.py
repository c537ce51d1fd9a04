"""How many messages a minute."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.rates import Allowance, Rate


def test_without_a_rate_everything_may_go() -> None:
    allowance = Allowance(None)
    for _ in range(1000):
        assert allowance.wait_seconds(0.0) == 0
        allowance.take(0.0)


def test_a_burst_and_then_an_even_pace() -> None:
    allowance = Allowance(Rate(messages_per_minute=30, burst=2))
    for now in (0.0, 0.0, 2.0, 4.0):
        assert allowance.wait_seconds(now) == 0
        allowance.take(now)
    assert allowance.wait_seconds(4.0) == 2.0
    assert allowance.wait_seconds(5.5) == 0.5


def test_a_silence_saves_up_no_more_than_the_burst() -> None:
    allowance = Allowance(Rate(messages_per_minute=60, burst=3))
    for _ in range(3):
        assert allowance.wait_seconds(86_400.0) == 0
        allowance.take(86_400.0)
    assert allowance.wait_seconds(86_400.0) == 1.0


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0.1, 600), st.integers(1, 10))
def test_no_stretch_of_time_has_more_than_its_share(gaps: list[float], per_minute: float, burst: int) -> None:
    """Whoever waits as long as told may then send, and never sends more than the rate and one burst."""
    allowance = Allowance(Rate(messages_per_minute=per_minute, burst=burst))
    now, sent = 0.0, list[float]()
    for gap in gaps:
        now += gap
        now += allowance.wait_seconds(now)
        assert allowance.wait_seconds(now) == 0
        allowance.take(now)
        sent.append(now)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + (sent[last] - sent[first]) * per_minute / 60 + 1e-3
