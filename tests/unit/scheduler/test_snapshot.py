from tests.unit.scheduler.views import a_held


def test_an_attempt_is_known_by_its_job_and_number() -> None:
    assert a_held("j7", attempt=3).key == ("j7", 3)
