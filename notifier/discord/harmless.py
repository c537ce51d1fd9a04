"""Makes foreign text fit to stand in a Discord message: no markdown, no mention, no link, no secret. Pure.

Names, metrics and errors are written by other people. Discord reads markdown, mentions, time stamps and links in
embeds too, so every character with a meaning gets a backslash; what looks like a link or a mention is broken with a
space of no width, for clients that do not honour the backslash there.
"""

import re
from collections.abc import Callable

from notifier.messages import cut, plain

Redact = Callable[[str], str]
"""Takes out secrets and paths."""

_SPECIAL = re.compile(r"[\\`*_~|<>\[\]]|^[#+-]")
_NO_WIDTH = "\u200b"
_BREAKABLE = re.compile(
    r"(?i)(?:(?<=://)|(?<=@)(?=everyone|here|[!&]?\d)|(?<=<)(?=[@#:/at])|(?<=discord)(?=\.gg|app\.com|\.com)|(?<=www)(?=\.))"
)
_DOUBLE = 2


def harmless(text: str, redact: Redact, *, limit: int) -> str:
    """The text as Discord shows it word for word.

    Args:
        text: anything.
        redact: takes out secrets and paths, before anything else could hide them.
        limit: most characters of the result, backslashes included.
    """
    safe = cut(redact(plain(text)), limit)
    escaped = _escape(_BREAKABLE.sub(_NO_WIDTH, safe))
    return escaped if len(escaped) <= limit else _cut_whole(escaped, limit)


def in_code(text: str, redact: Redact, *, limit: int) -> str:
    """The text as a span of code, in which Discord reads nothing but the back-tick; for commands and ids."""
    inner = redact(plain(text)).replace("`", "'")
    return f"`{cut(_BREAKABLE.sub(_NO_WIDTH, inner), limit - _DOUBLE)}`" if inner else ""


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", text)


def _cut_whole(escaped: str, limit: int) -> str:
    """Cut, but not between a backslash and what it protects."""
    kept = escaped[: limit - 1]
    num_trailing = len(kept) - len(kept.rstrip("\\"))
    return f"{kept[:-1] if num_trailing % _DOUBLE else kept}…"
