"""The table of states."""

from pathlib import Path

import pytest

from headway.contract.errors import InvalidTransition
from headway.contract.state_diagram import render
from headway.contract.states import (
    HELD_STATES,
    TABLE,
    TERMINAL_STATES,
    Event,
    is_held,
    is_terminal,
    next_state,
    outward_event,
    state_name,
)
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, JobState

REPOSITORY = Path(__file__).parents[3]


def test_no_move_leaves_a_terminal_state() -> None:
    """P20: terminal states are final."""
    assert [move for move in TABLE if move.source in TERMINAL_STATES] == []


def test_every_state_but_the_unspecified_is_reached_by_some_move() -> None:
    assert {move.target for move in TABLE} == set(JobState.values()) - {0}


def test_each_pair_of_state_and_event_has_one_target() -> None:
    assert len({(move.source, move.event) for move in TABLE}) == len(TABLE)


def test_a_move_that_is_not_in_the_table_is_refused_with_the_states_name() -> None:
    with pytest.raises(InvalidTransition, match="SUCCEEDED cannot be claimed"):
        next_state(JOB_STATE_SUCCEEDED, Event.CLAIMED)


def test_a_claim_leads_from_queued_to_running() -> None:
    assert next_state(JOB_STATE_QUEUED, Event.CLAIMED) == JOB_STATE_RUNNING


def test_held_and_terminal_states_are_apart() -> None:
    assert not HELD_STATES & TERMINAL_STATES
    assert is_held(JOB_STATE_RUNNING)
    assert is_terminal(JOB_STATE_SUCCEEDED)


def test_wishes_are_the_only_events_that_nobody_outside_hears() -> None:
    assert {event for event in Event if outward_event(event) is None} == {
        Event.PAUSE_REQUESTED,
        Event.RESUME_REQUESTED,
        Event.CANCEL_REQUESTED,
        Event.PRIORITY_CHANGED,
    }


def test_a_states_name_has_no_prefix() -> None:
    assert state_name(JOB_STATE_RUNNING) == "RUNNING"


def test_the_page_of_states_is_the_one_that_the_table_renders() -> None:
    assert (REPOSITORY / "docs" / "states.md").read_text() == render(), "run `make docs` and commit docs/states.md"
