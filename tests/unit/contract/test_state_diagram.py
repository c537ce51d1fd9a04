"""The rendered page of states."""

from headway.contract.state_diagram import render
from headway.contract.states import TABLE, TERMINAL_STATES


def test_every_move_is_an_arrow_and_a_row() -> None:
    page = render()
    assert page.count("-->") == len(TABLE) + len(TERMINAL_STATES)
    assert page.count("\n| ") == len(TABLE) + 1


def test_the_start_and_the_ends_are_drawn() -> None:
    page = render()
    assert "[*] --> QUEUED: submitted" in page
    assert "SUCCEEDED --> [*]" in page
