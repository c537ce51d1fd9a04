"""A direct message as its reader would see it, in a terminal. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from headway.cli.owner_dm.markdown import styled
from headway.cli.owner_dm.shown import Button, DirectMessage, Embed, Field

WIDTH = 84
_GREY = 0x4E5058
_INLINE_COLUMNS = 3
_BUTTON_STYLES = {1: "white on blue", 2: "white on grey37", 3: "white on green4", 4: "white on red3", 5: "underline"}


def message_block(message: DirectMessage, *, is_edited: bool = False) -> RenderableType:
    """The whole message: who and when, content, embeds, and buttons with the numbers that `press` takes."""
    if message.is_loading:
        return Text("headway is thinking ...", "italic dim")
    parts: list[RenderableType] = [_headline(message, is_edited=is_edited)]
    if message.content:
        parts.append(styled(message.content))
    parts += [_embed_panel(embed) for embed in message.embeds]
    if message.buttons:
        parts.append(_button_row(message.buttons))
    return Group(*parts)


def edit_line(message: DirectMessage) -> Text:
    """One line for an edit of a message that was shown before: its titles, and what it says first."""
    words = [one for one in (*message.titles, *_first_words(message)) if one]
    line = styled(f"{clock_time(message)}  {' · '.join(words)}".replace("\n", " "))
    line.truncate(WIDTH, overflow="ellipsis")
    line.stylize("dim")
    return line


def clock_time(message: DirectMessage) -> str:
    """When the message was made or last changed, in this machine's time zone."""
    try:
        return f"{datetime.fromisoformat(message.edit_time or message.create_time).astimezone():%H:%M:%S}"
    except ValueError:
        return ""


def _headline(message: DirectMessage, *, is_edited: bool) -> Text:
    line = Text.assemble(("headway", "bold"), " ", (clock_time(message), "dim"))
    notes = ["edited"] if is_edited else []
    notes += ["silent"] if message.is_silent else []
    notes += ["only you can see this"] if message.is_ephemeral else []
    if notes:
        line.append(f"  ({', '.join(notes)})", "dim italic")
    return line


def _embed_panel(embed: Embed) -> Panel:
    parts: list[RenderableType] = []
    if embed.description:
        parts.append(styled(embed.description))
    parts += _field_tables(embed.fields)
    if embed.footer is not None:
        parts.append(Text(styled(embed.footer.text).plain, "dim"))
    title = styled(embed.title) if embed.title else None
    if title is not None:
        title.stylize("bold")
    colour = f"#{_GREY if embed.color is None else embed.color:06x}"
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour, padding=(0, 1))


def _field_tables(fields: Sequence[Field]) -> Iterator[Table]:
    """Fields below each other; neighbours that are inline stand side by side."""
    for is_inline, group in groupby(fields, key=lambda field: field.inline):
        found = list(group)
        columns = min(len(found), _INLINE_COLUMNS) if is_inline else 1
        table = Table.grid(padding=(0, 2, 0, 0), expand=False)
        for start in range(0, len(found), columns):
            table.add_row(*(_cell(field) for field in found[start : start + columns]))
        yield table


def _cell(field: Field) -> Text:
    name = styled(field.name)
    name.stylize("bold")
    return Text("\n").join([name, styled(field.value)])


def _button_row(buttons: Iterable[Button]) -> Text:
    shown = [
        Text.assemble((f"{number} ", "bold"), (f" {styled(button.label or '?').plain} ", _style(button)))
        for number, button in enumerate(buttons, start=1)
    ]
    return Text("  ").join(shown)


def _style(button: Button) -> str:
    return "dim strike" if button.disabled else _BUTTON_STYLES.get(button.style or 0, "reverse")


def _first_words(message: DirectMessage) -> Iterator[str]:
    """The first field, where a live message has its progress, and the first line of the words."""
    yield from [field.value for embed in message.embeds for field in embed.fields][:1]
    texts = [message.content, *(embed.description or "" for embed in message.embeds)]
    yield from [line.strip() for text in texts for line in text.splitlines() if line.strip()][:1]
