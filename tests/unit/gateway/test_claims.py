import pytest

from gateway.claims import read_claim
from headway.contract.errors import InvalidName, OutOfRange, PermissionDenied
from headway.runtime.principal import Principal, acting_as

JOB = "projects/demo/jobs/j" + "a" * 25


def a_host_key(host_id: str = "", projects: tuple[str, ...] = ("*",)) -> Principal:
    return Principal(key_id="k", user_id="", scopes=frozenset({"host"}), projects=frozenset(projects), host_id=host_id)


@pytest.mark.parametrize("host_id", ["", "anton"])
def test_a_host_writes_under_its_own_name(host_id: str) -> None:
    with acting_as(a_host_key(host_id)):
        claim = read_claim(JOB, 1, "hosts/anton")
    assert (claim.job.name, claim.attempt, claim.host) == (JOB, 1, "hosts/anton")


def test_a_key_for_one_host_is_no_key_for_another() -> None:
    with acting_as(a_host_key("berta")), pytest.raises(PermissionDenied):
        read_claim(JOB, 1, "hosts/anton")


def test_a_key_for_another_project_gets_nowhere() -> None:
    with acting_as(a_host_key(projects=("other",))), pytest.raises(PermissionDenied):
        read_claim(JOB, 1, "hosts/anton")


@pytest.mark.parametrize(
    ("job", "host", "field"),
    [
        ("projects/demo/jobs/x", "hosts/anton", "job"),
        (JOB, "anton", "host"),
        ("", "hosts/anton", "job"),
        (JOB, "", "host"),
    ],
)
def test_a_name_that_is_none_is_refused_by_field(job: str, host: str, field: str) -> None:
    with acting_as(a_host_key()), pytest.raises(InvalidName) as caught:
        read_claim(job, 1, host)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize("attempt", [0, -1])
def test_attempts_count_from_one(attempt: int) -> None:
    with acting_as(a_host_key()), pytest.raises(OutOfRange):
        read_claim(JOB, attempt, "hosts/anton")
