import pytest

from headway.cli.owner_dm.markdown import styled


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("plain", "plain"),
        ("**bold** and *slanted* and _also_", "bold and slanted and also"),
        ("~~gone~~ __under__ `code`", "gone under code"),
        ("snake_case_name", "snake_case_name"),
        (r"tabular\_train \*\*not bold\*\*", "tabular_train **not bold**"),
        (r"**a\*\*b**", "a**b"),
        ("```sh\nheadway jobs list\n```", "headway jobs list"),
        ("[docs](https://example.com)", "docs (https://example.com)"),
        (r"2 * 3 * 4 \ 5", r"2 * 3 * 4 \ 5"),
        ("**open", "**open"),
    ],
)
def test_markdown_is_shown_as_discord_shows_it(source: str, plain: str) -> None:
    assert styled(source).plain == plain


def test_styles_are_nested() -> None:
    text = styled("**bold _both_**")
    assert [(span.start, span.end, span.style) for span in text.spans] == [(0, 5, "bold"), (5, 9, "bold italic")]


def test_a_time_is_of_this_machine() -> None:
    assert len(styled("at <t:1700000000:R>").plain) == len("at 12:34:56")


def test_no_text_can_move_the_cursor() -> None:
    """P31: what a job is called does not steer the terminal."""
    assert "\x1b" not in styled("\x1b[2J **\x1b[31mred**").plain
