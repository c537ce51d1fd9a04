import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headway.runtime.redaction import Redactor
from headway.testing.builders import a_claimed_record
from headway.v1.jobs_pb2 import JobState
from notifier.discord.run_embed import Extras, Heartbeat, run_embed
from notifier.discord.run_view import RunFailure, RunProgress, RunView, view_of

redact = Redactor().clean
NOW = datetime(2030, 1, 1, 12, 5, tzinfo=UTC)


def a_view() -> RunView:
    progress = RunProgress(
        attempt=1, phase="training", epoch=2, total_epochs=4, step=1500, total_steps=3000, loss=0.25,
        samples_per_second=1234.0, eta_seconds=65.0,
    )  # fmt: skip
    return replace(view_of(a_claimed_record().job), progress=progress)


def fields(view: RunView, extras: Extras | None = None) -> dict[str | None, str | None]:
    return {field.name: field.value for field in run_embed(view, redact, now=NOW, extras=extras).fields}


def test_a_run_shows_how_far_it_is() -> None:
    shown = fields(a_view(), Extras(losses=(1.0, 0.5, 0.25)))
    assert shown["Progress"] == "▰▰▰▰▰▰▰▰▱▱▱▱▱▱▱▱ 50%"
    assert shown["Epoch"] == "2 of 4"
    assert shown["Step"] == "1,500 of 3,000"
    assert shown["Loss"] == "0.25 █▃▁"
    assert shown["Rate"] == "1,234 a second"
    assert shown["Time left"] == "about 1 min 05 s"
    assert (shown["Host"], shown["Mode"]) == ("anton", "local")


def test_what_is_not_known_is_left_out() -> None:
    view = replace(a_view(), progress=RunProgress(loss=math.nan, samples_per_second=math.inf, eta_seconds=math.nan))
    assert not {"Progress", "Epoch", "Step", "Loss", "Rate", "Time left"} & fields(view).keys()


@pytest.mark.parametrize("state", sorted(set(JobState.keys()) - {"JOB_STATE_UNSPECIFIED"}))
def test_every_state_has_a_title_of_its_own_words(state: str) -> None:
    embed = run_embed(replace(a_view(), state=state.removeprefix("JOB_STATE_")), redact, now=NOW)
    assert embed.title is not None
    assert embed.title != "Training"


@pytest.mark.parametrize("failure_class", ["USER_INPUT", "TRANSIENT", "FATAL"])
def test_a_failure_says_class_what_was_tried_what_is_kept_and_how_to_go_on(failure_class: str) -> None:
    failure = RunFailure(failure_class=failure_class, reason="DISK_FULL", message="no space at /home" + "/u/x/y")
    view = replace(a_view(), state="FAILED", is_over=True, failure=failure, attempt=3, checkpoint_step=1000)
    shown = fields(view)
    assert shown["Class"] == failure_class.replace("_", r"\_")
    assert shown["Tried"] == "3 times"
    assert "checkpoint of step 1,000" in (shown["Kept"] or "")
    assert f"headway jobs logs {view.name.name}" in (shown["To go on"] or "")
    assert "/home" not in (shown["Why"] or "")


def test_a_heartbeat_says_how_far_it_came_since_the_one_before() -> None:
    first = Heartbeat(time=NOW, step=10, num_steps=0, is_first=True)
    assert fields(a_view(), Extras(heartbeat=first))["Heartbeat"] == "12:05 UTC: at step 10."
    later = replace(first, step=1500, num_steps=1490, is_first=False)
    assert "1,490 more" in (fields(a_view(), Extras(heartbeat=later))["Heartbeat"] or "")
    stuck = replace(later, num_steps=0)
    assert "no further" in (fields(a_view(), Extras(heartbeat=stuck))["Heartbeat"] or "")
    assert "Heartbeat" not in fields(replace(a_view(), is_over=True), Extras(heartbeat=stuck))
