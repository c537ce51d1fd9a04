from headway.runtime.feeds import redelivery_delay_seconds


def test_the_waits_before_a_redelivery_grow_to_half_a_minute() -> None:
    assert [redelivery_delay_seconds(times) for times in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert redelivery_delay_seconds(10**9) == 30
