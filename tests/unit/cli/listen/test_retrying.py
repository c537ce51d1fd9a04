from headway.cli.listen.retrying import Retrying


def test_waits_double_up_to_a_minute_and_end() -> None:
    retrying = Retrying(retries=9, first_wait_seconds=1.0)
    waits = [retrying.wait_seconds(num_tried) for num_tried in range(1, 11)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, None]


def test_without_retries_one_try_is_all() -> None:
    assert Retrying(retries=0, first_wait_seconds=1.0).wait_seconds(1) is None


def test_a_thousand_retries_overflow_nothing() -> None:
    assert Retrying(retries=1000, first_wait_seconds=60.0).wait_seconds(1000) == 60.0
