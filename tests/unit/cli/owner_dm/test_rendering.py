from rich.console import Console, RenderableType

from headway.cli.owner_dm.rendering import WIDTH, edit_line, message_block
from headway.cli.owner_dm.shown import DirectMessage

MESSAGE = DirectMessage.model_validate(
    {
        "id": "1",
        "content": "hello [red]",
        "embeds": [
            {
                "title": "Training **in** progress",
                "description": "iris\nsecond line",
                "color": 0xFEE75C,
                "fields": [
                    {"name": "Progress", "value": "half", "inline": False},
                    {"name": "Host", "value": "local", "inline": True},
                    {"name": "Mode", "value": "auto", "inline": True},
                ],
                "footer": {"text": "foot"},
            }
        ],
        "components": [
            {
                "type": 1,
                "components": [
                    {"type": 2, "style": 2, "label": "Pause", "custom_id": "p"},
                    {"type": 2, "style": 4, "label": "Cancel", "custom_id": "c", "disabled": True},
                ],
            }
        ],
        "create_time": "2030-01-01T00:00:00+00:00",
        "is_silent": True,
    }
)


def shown(block: RenderableType, *, colours: bool = False) -> str:
    console = Console(width=WIDTH, force_terminal=colours, color_system="truecolor" if colours else None)
    with console.capture() as captured:
        console.print(block)
    return captured.get()


def test_a_message_is_shown_with_all_that_its_reader_sees() -> None:
    lines = shown(message_block(MESSAGE)).splitlines()
    assert lines[0].startswith("headway ")
    assert lines[0].endswith("(silent)")
    assert lines[1] == "hello [red]"
    assert "Training in progress" in lines[2]
    text = "\n".join(lines)
    for words in ("iris", "second line", "Progress", "half", "foot", "1  Pause", "2  Cancel"):
        assert words in text
    (names,) = [line for line in lines if "Host" in line]
    assert "Mode" in names


def test_the_frame_has_the_colour_of_the_embed() -> None:
    assert "38;2;254;231;92" in shown(message_block(MESSAGE), colours=True)


def test_who_sees_it_and_that_it_was_edited_is_said() -> None:
    private = MESSAGE.model_copy(update={"is_ephemeral": True, "is_silent": False})
    assert "(edited, only you can see this)" in shown(message_block(private, is_edited=True))


def test_an_edit_of_a_live_message_is_one_line_with_its_progress_first() -> None:
    line = shown(edit_line(MESSAGE))
    assert line.count("\n") == 1
    assert "Training in progress · half · hello" in line


def test_a_bot_that_thinks_is_one_line() -> None:
    assert shown(message_block(DirectMessage(id="1", flags=128))) == "headway is thinking ...\n"


def test_a_long_word_does_not_break_the_frame() -> None:
    wide = DirectMessage.model_validate({"id": "1", "embeds": [{"title": "t" * 200, "description": "d" * 500}]})
    assert max(map(len, shown(message_block(wide)).splitlines())) <= WIDTH
