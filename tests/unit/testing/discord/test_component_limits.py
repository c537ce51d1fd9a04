from collections.abc import Sequence

import pytest

from headway.testing.discord.component_limits import component_faults
from headway.testing.discord.payloads import Component


def button(custom_id: str = "a", **fields: object) -> dict[str, object]:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": custom_id, **fields}


def rows(*contents: Sequence[dict[str, object]]) -> list[Component]:
    return [Component.model_validate({"type": 1, "components": list(row)}, strict=False) for row in contents]


def faults_of(components: Sequence[Component]) -> list[str]:
    return [".".join(fault.path) for fault in component_faults(("c",), components)]


def test_five_rows_of_five_buttons_are_allowed() -> None:
    full = [[button(f"{row}-{column}") for column in range(5)] for row in range(5)]
    assert faults_of(rows(*full)) == []


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (rows(*[[button(str(number))] for number in range(6)]), ["c"]),
        (rows([button(str(number)) for number in range(6)]), ["c.0.components"]),
        (rows([]), ["c.0.components"]),
        (rows([button()], [button()]), ["c"]),
        (rows([button("")]), ["c.0.components.0.custom_id"]),
        (rows([button("x" * 101)]), ["c.0.components.0.custom_id"]),
        (rows([button(label="")]), ["c.0.components.0.label"]),
        (rows([button(label="x" * 81)]), ["c.0.components.0.label"]),
        (rows([button(style=9)]), ["c.0.components.0.style"]),
        (rows([button(style=5)]), ["c.0.components.0.url"]),
        (rows([{"type": 3, "custom_id": "m"}]), ["c.0.components.0.options"]),
        ([Component(type=2, style=1, label="loose", custom_id="a")], ["c.0.type"]),
    ],
)
def test_what_discord_refuses_is_refused(components: Sequence[Component], expected: Sequence[str]) -> None:
    assert faults_of(components) == list(expected)


def test_a_link_and_a_menu_are_allowed() -> None:
    link = {"type": 2, "style": 5, "label": "Look", "url": "https://example.com"}
    menu = {"type": 3, "custom_id": "m", "options": [{"label": "a", "value": "a"}]}
    assert faults_of(rows([link], [menu])) == []
