"""Discord's markdown as styled text. Pure."""

import re
from datetime import UTC, datetime

from rich.text import Text

from headway.cli.view.consoles import visible

_INSIDE = r"(?!\s)(?:\\.|[^\\])+?(?<!\s)"
_TOKENS = re.compile(
    r"\\(?P<escaped>[^A-Za-z0-9\s])"
    r"|```(?:[a-z]*\n)?(?P<block>.*?)\n?```"
    r"|`(?P<code>[^`\n]+)`"
    rf"|\*\*(?P<bold>{_INSIDE})\*\*"
    rf"|__(?P<underlined>{_INSIDE})__"
    rf"|~~(?P<struck>{_INSIDE})~~"
    rf"|\*(?P<slanted>{_INSIDE})\*"
    rf"|(?<!\w)_(?P<also_slanted>{_INSIDE})_(?!\w)"
    r"|\[(?P<label>[^\]\n]+)\]\((?P<url>[^)\s]+)\)"
    r"|<t:(?P<time>\d{1,12})(?::[tTdDfFR])?>",
    re.DOTALL,
)
_STYLES = {
    "bold": "bold",
    "underlined": "underline",
    "struck": "strike",
    "slanted": "italic",
    "also_slanted": "italic",
}


def styled(source: str) -> Text:
    """A text as Discord would show it."""
    text = Text()
    _append(text, visible(source), "")
    return text


def _append(text: Text, source: str, style: str) -> None:
    position = 0
    for found in _TOKENS.finditer(source):
        text.append(source[position : found.start()], style or None)
        _append_token(text, found, style)
        position = found.end()
    text.append(source[position:], style or None)


def _append_token(text: Text, found: "re.Match[str]", style: str) -> None:
    kind = found.lastgroup or ""
    content = found[kind]
    if kind in _STYLES:
        _append(text, content, f"{style} {_STYLES[kind]}".strip())
    elif kind in {"block", "code"}:
        text.append(content, f"{style} cyan".strip())
    elif kind == "url":
        text.append(f"{found['label']} ({content})", style or None)
    elif kind == "time":
        text.append(f"{datetime.fromtimestamp(int(content), UTC).astimezone():%H:%M:%S}", style or None)
    else:
        text.append(content, style or None)
