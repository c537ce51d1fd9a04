import pytest

from trainer_host.executor.cadence import Cadence


def a_cadence(seconds: float = 60.0, steps: int = 0) -> Cadence:
    return Cadence(seconds, steps, 1000.0, 0)


@pytest.mark.parametrize(
    ("step", "now", "is_due"),
    [(5, 1000.0, False), (5, 1059.9, False), (5, 1060.0, True), (0, 5000.0, False)],
)
def test_it_is_due_when_the_time_has_passed_and_something_was_trained(step: int, now: float, is_due: bool) -> None:
    assert a_cadence().is_due(step, now) is is_due


@pytest.mark.parametrize(("step", "is_due"), [(9, False), (10, True), (11, True)])
def test_steps_make_it_due_before_the_time_has_passed(step: int, is_due: bool) -> None:
    assert a_cadence(steps=10).is_due(step, 1001.0) is is_due


def test_time_makes_it_due_before_the_steps_are_taken() -> None:
    assert a_cadence(steps=10).is_due(1, 1060.0)


def test_a_try_counts_from_its_end_whether_it_succeeded_or_not() -> None:
    cadence = a_cadence(steps=10)
    cadence.note(10, 1002.0)
    assert not cadence.is_due(19, 1061.9)
    assert cadence.is_due(20, 1003.0)
    assert cadence.is_due(11, 1062.0)


def test_what_was_gone_on_from_is_not_saved_again() -> None:
    cadence = a_cadence()
    cadence.note(500, 1000.0)
    assert not cadence.is_due(500, 9000.0)
