import pytest

from headway.cli.global_options import hoist


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
