from scheduler.message_rate import MessageRate


def test_a_burst_passes_and_the_next_message_does_not() -> None:
    rate = MessageRate(now=0.0, per_second=10.0, burst=5.0)

    assert [rate.may_pass(0.0) for _ in range(6)] == [True] * 5 + [False]


def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    rate = MessageRate(now=0.0, per_second=10.0, burst=5.0)
    for _ in range(5):
        rate.may_pass(0.0)

    assert not rate.may_pass(0.05)
    assert rate.may_pass(0.15)
    assert sum(rate.may_pass(100.0) for _ in range(20)) == 5


def test_a_clock_that_stands_still_gives_nothing() -> None:
    rate = MessageRate(now=5.0, per_second=10.0, burst=1.0)

    assert [rate.may_pass(5.0) for _ in range(3)] == [True, False, False]
