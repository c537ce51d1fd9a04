from trainer_host.reports import Throttle


def test_the_first_report_passes() -> None:
    assert Throttle(0.1).is_due(100.0)


def test_a_second_report_waits_for_the_interval() -> None:
    throttle = Throttle(0.1)
    throttle.is_due(100.0)

    assert not throttle.is_due(100.05)
    assert throttle.is_due(100.1)


def test_a_thousand_reports_a_second_become_ten() -> None:
    throttle = Throttle(0.1)
    assert sum(throttle.is_due(step / 1000) for step in range(1000)) == 10
