import pytest

from headway.contract.ids import JobName, new_job_id
from notifier.discord.run_names import MAX_NAMES, RunNames, UnknownRun

FIRST = JobName("demo", "jaaaa" + "b" * 21)
SECOND = JobName("other", "jaaac" + "b" * 21)


def known() -> RunNames:
    names = RunNames("default")
    names.learn(FIRST, "iris · running")
    names.learn(SECOND)
    return names


@pytest.mark.parametrize(
    "typed", [FIRST.name, f"demo/{FIRST.job_id}", FIRST.job_id, FIRST.job_id[:5], f"  {FIRST.job_id} "]
)
def test_a_run_is_found_by_every_name_that_it_has(typed: str) -> None:
    assert known().resolve(typed) == FIRST


def test_an_id_that_was_never_heard_of_is_of_the_default_project() -> None:
    unheard = new_job_id()
    assert known().resolve(unheard) == JobName("default", unheard)


@pytest.mark.parametrize("typed", ["", "jaa", "jaaa", "all", "nix", "a/b/c", "projects/x/jobs/y", "x" * 5000])
def test_what_names_no_run_or_several_is_said_so(typed: str) -> None:
    with pytest.raises(UnknownRun):
        known().resolve(typed)


def test_suggestions_fit_what_was_typed_with_watched_runs_first() -> None:
    values = [f"demo/{FIRST.job_id}", f"other/{SECOND.job_id}"]
    assert [value for _, value in known().suggest("", [])] == values[::-1]
    assert [value for _, value in known().suggest("", [FIRST.name])] == values
    assert known().suggest("IRIS", [])[0][0].startswith("iris · running · ")
    assert known().suggest("a", [], with_all=True)[0] == ("all", "all")
    assert known().suggest("zzz", [], with_all=True) == []


def test_suggestions_and_memory_are_bounded() -> None:
    names = RunNames("default")
    for _ in range(MAX_NAMES + 50):
        names.learn(JobName("demo", new_job_id()), "n" * 300)
    found = names.suggest("", [])
    assert len(found) == 25
    assert all(len(label) <= 100 and len(value) <= 100 for label, value in found)
    assert len(names.suggest("j", [])) == 25


def test_projects_are_those_that_were_heard_of() -> None:
    assert known().projects() == ("default", "other", "demo")
