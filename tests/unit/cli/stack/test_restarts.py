import pytest

from headway.cli.stack.restarts import GiveUp, Life, Restart, RestartPolicy, decide, describe_exit

POLICY = RestartPolicy()
READY = Life(start_time=100.0, was_ready=True)


def after_deaths(life: Life, num: int, *, lived: float) -> list[float]:
    """The waits of so many deaths in a row, each after living so long."""
    waits = []
    for _ in range(num):
        verdict = decide(POLICY, life, 1, now=life.start_time + lived)
        assert isinstance(verdict, Restart)
        waits.append(verdict.wait_seconds)
        life = verdict.life
    return waits


def test_quick_deaths_wait_longer_each_time_up_to_a_bound() -> None:
    assert after_deaths(READY, 8, lived=1.0) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_service_that_lived_long_starts_with_a_clean_slate() -> None:
    tired = Life(start_time=100.0, was_ready=True, num_quick_deaths=6, num_restarts=9)
    assert decide(POLICY, tired, 1, now=160.0) == Restart(0.5, Life(100.0, was_ready=True, num_restarts=10))


def test_a_service_that_was_ready_once_is_never_given_up() -> None:
    verdict = decide(POLICY, Life(100.0, was_ready=True, num_quick_deaths=1000), -9, now=101.0)
    assert isinstance(verdict, Restart)


def test_a_service_that_never_gets_ready_is_given_up() -> None:
    assert isinstance(decide(POLICY, Life(100.0, num_quick_deaths=1), 1, now=101.0), Restart)
    verdict = decide(POLICY, Life(100.0, num_quick_deaths=2), 1, now=101.0)
    assert verdict == GiveUp("it ended 3 times before it was ready, last with exit code 1")


@pytest.mark.parametrize("life", [Life(), READY])
def test_refused_settings_are_not_tried_again(life: Life) -> None:
    assert decide(POLICY, life, 2, now=101.0) == GiveUp("it refused its settings")


def test_an_exit_in_words() -> None:
    assert describe_exit(1) == "exit code 1"
    assert describe_exit(-9) == "signal 9"
