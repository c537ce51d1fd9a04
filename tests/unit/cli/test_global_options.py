from contextvars import copy_context
from pathlib import Path

import pytest

from headway.cli.global_options import GlobalOptions, headway, hoist, remember


@pytest.mark.parametrize(
    ("typed", "hoisted"),
    [
        ("jobs list --project lab -o json", "--project lab jobs list -o json"),
        ("up --home=/srv --port 0", "--home=/srv up --port 0"),
        ("jobs get J --address a:1 --key-file k", "--address a:1 --key-file k jobs get J"),
        ("jobs list", "jobs list"),
        ("submit -- --project x", "submit -- --project x"),
        ("jobs list --project", "--project jobs list"),
        ("submit f --set tabular_train.epochs=5", "submit f --set tabular_train.epochs=5"),
    ],
)
def test_global_options_may_stand_anywhere(typed: str, hoisted: str) -> None:
    assert hoist(typed.split()) == hoisted.split()


def test_commands_that_are_told_to_people_reach_the_same_place() -> None:
    def told(options: GlobalOptions) -> str:
        remember(options)
        return headway()

    assert copy_context().run(told, GlobalOptions()) == "headway"
    somewhere = GlobalOptions(home=Path("/srv/my home"), address="a:1", project="lab")
    assert copy_context().run(told, somewhere) == "headway --home '/srv/my home' --address a:1"
