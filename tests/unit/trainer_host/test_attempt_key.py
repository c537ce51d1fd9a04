import pytest

from headway.contract.errors import InvalidName
from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_key import AttemptKey


def test_a_file_name_leads_back_to_its_attempt() -> None:
    key = a_key(7)
    assert AttemptKey.from_file_name(key.file_name) == key
    assert "/" not in key.file_name


@pytest.mark.parametrize("name", ["", "a", "p~j~0", "p~../x~1", "p~j~1~2", ".p~j~1.part"])
def test_a_foreign_file_name_is_no_attempt(name: str) -> None:
    assert AttemptKey.from_file_name(name) is None


@pytest.mark.parametrize("job", ["", "projects/p/jobs/../../etc", "projects/p/jobs/" + "j" * 300, "x"])
def test_no_path_is_made_of_a_name_that_is_none(job: str) -> None:
    with pytest.raises(InvalidName):
        _ = AttemptKey(job, 1).file_name


def test_attempts_count_from_one() -> None:
    with pytest.raises(InvalidName):
        _ = a_key(0).file_name


def test_the_parent_is_the_project() -> None:
    assert a_key().parent == "projects/p"
