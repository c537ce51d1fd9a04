from dataclasses import replace

import pytest

from headway.contract.ids import JobName, job_id_for
from headway.testing.builders import a_claimed_record
from notifier.discord.custom_ids import (
    CANCEL,
    CONFIRM,
    PAUSE,
    RESUME,
    Press,
    button_id,
    buttons_of,
    confirm_button,
    parse,
)
from notifier.discord.run_view import view_of

JOB = JobName("p" * 63, job_id_for("p", "one"))


@pytest.mark.parametrize("verb", [PAUSE, RESUME, CANCEL])
def test_an_id_says_what_it_means_within_a_hundred_characters(verb: str) -> None:
    assert len(button_id(verb, JOB)) <= 100
    assert parse(button_id(verb, JOB)) == Press(verb, job=JOB)


def test_a_confirmation_names_its_question() -> None:
    assert parse(confirm_button("abc123").custom_id) == Press(CONFIRM, ticket="abc123")


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "hw",
        "hw:pause",
        "hw:delete:p:j",
        "hw:pause:p:nojob",
        f"x:pause:p:{JOB.job_id}",
        "hw:confirm:a:b",
    ],
)
def test_what_is_not_ours_means_nothing(forged: str) -> None:
    assert parse(forged) is None


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        ("QUEUED", ["Pause", "Cancel"]),
        ("RUNNING", ["Pause", "Cancel"]),
        ("PAUSED", ["Resume", "Cancel"]),
        ("CANCELLING", []),
        ("SUCCEEDED", []),
    ],
)
def test_a_run_is_offered_what_can_be_done_with_it(state: str, labels: list[str]) -> None:
    view = replace(view_of(a_claimed_record().job), state=state)
    assert [button.label for button in buttons_of(view)] == labels
