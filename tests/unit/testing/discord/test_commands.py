import pytest
from pydantic import JsonValue

from headway.testing.discord.commands import BadLine, parse_line, read_commands, usages
from headway.testing.discord.errors import ApiError

RUN: JsonValue = {"type": 3, "name": "run", "description": "Which", "required": True, "autocomplete": True}
LIMIT: JsonValue = {"type": 4, "name": "limit", "description": "How many"}
TRAINER: dict[str, JsonValue] = {
    "name": "trainer",
    "description": "Runs",
    "options": [
        {"type": 1, "name": "runs", "description": "The newest", "options": [LIMIT]},
        {"type": 1, "name": "status", "description": "One", "options": [RUN, LIMIT]},
    ],
}
COMMANDS = read_commands([TRAINER])


def options_of(line: str, *, is_autocomplete: bool = False) -> JsonValue:
    options = parse_line(COMMANDS, line, is_autocomplete=is_autocomplete).data["options"]
    assert isinstance(options, list)
    assert isinstance(options[0], dict)
    return options[0].get("options")


@pytest.mark.parametrize("line", ["/trainer status run:a limit:2", "/trainer status a 2", "trainer status limit:2 a"])
def test_values_go_by_name_or_in_order(line: str) -> None:
    assert options_of(line) == [
        {"type": 3, "name": "run", "value": "a"},
        {"type": 4, "name": "limit", "value": 2},
    ]


def test_a_colon_in_a_value_is_only_a_character() -> None:
    assert options_of("/trainer status projects/a:b") == [{"type": 3, "name": "run", "value": "projects/a:b"}]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/other", "there are: /trainer runs"),
        ("", "there is no command"),
        ("/trainer", "/trainer status run:"),
        ("/trainer stat", "no command"),
        ("/trainer status", "needs run"),
        ("/trainer runs 1 2", "does not know what to do with '2'"),
        ("/trainer runs many", "limit is a number"),
    ],
)
def test_a_line_that_the_client_would_not_send_says_what_it_would(line: str, words: str) -> None:
    with pytest.raises(BadLine, match=words):
        parse_line(COMMANDS, line)


def test_the_value_that_is_being_typed_is_in_focus() -> None:
    assert options_of("/trainer status run:ab", is_autocomplete=True) == [
        {"type": 3, "name": "run", "value": "ab", "focused": True}
    ]
    assert options_of("/trainer status", is_autocomplete=True) == [
        {"type": 3, "name": "run", "value": "", "focused": True}
    ]
    with pytest.raises(BadLine, match="no autocomplete"):
        parse_line(COMMANDS, "/trainer runs 1", is_autocomplete=True)


def test_usages_are_what_a_person_looks_up() -> None:
    assert usages(COMMANDS) == (
        ("/trainer runs [limit:]", "The newest"),
        ("/trainer status run: [limit:]", "One"),
    )


def test_choices_and_lengths_are_held() -> None:
    choice: JsonValue = {"name": "a", "value": "a"}
    named: JsonValue = {"type": 3, "name": "n", "description": "N", "max_length": 2}
    chosen: JsonValue = {"type": 3, "name": "c", "description": "C", "choices": [choice]}
    found = read_commands([{"name": "x", "description": "X", "options": [named, chosen]}])
    assert parse_line(found, "/x ab a").data["name"] == "x"
    with pytest.raises(BadLine, match="takes 0 to 2"):
        parse_line(found, "/x abc a")
    with pytest.raises(BadLine, match="one of a"):
        parse_line(found, "/x ab b")


@pytest.mark.parametrize(
    "bad",
    [
        [{"name": "Trainer", "description": "upper case"}],
        [{"name": "x" * 33, "description": "long"}],
        [{"name": "x", "description": ""}],
        [{"name": "x", "description": "y" * 101}],
        [TRAINER, TRAINER],
        [{"name": "x", "description": "y", "options": [LIMIT, RUN]}],
        [{"name": "x", "description": "y", "options": [{"type": 99, "name": "a", "description": "b"}]}],
        {"name": "x"},
    ],
)
def test_commands_that_discord_refuses_are_refused(bad: JsonValue) -> None:
    with pytest.raises(ApiError) as caught:
        read_commands(bad)
    assert caught.value.code == 50035


def test_too_many_commands_and_too_many_characters_are_refused() -> None:
    with pytest.raises(ApiError):
        read_commands([{"name": f"c{number}", "description": "y"} for number in range(101)])
    options: list[JsonValue] = [{"type": 3, "name": f"o{n}", "description": "d" * 100} for n in range(25)]
    subs: list[JsonValue] = [{"type": 1, "name": f"s{n}", "description": "d", "options": options} for n in range(4)]
    with pytest.raises(ApiError, match="8000"):
        read_commands([{"name": "x", "description": "y", "options": subs}])
