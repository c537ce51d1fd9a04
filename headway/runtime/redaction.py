"""Takes secrets and absolute paths out of text that leaves a service: logs, events, messages to people."""

import re
from collections.abc import Mapping
from pathlib import Path

_REPLACEMENTS = (
    (re.compile(r"\bhw_[A-Za-z0-9]+_[A-Za-z0-9_]{4,}"), "hw_<redacted>"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]{6,}"), "whsec_<redacted>"),
    # A Discord bot token: base64 of the id, a time, a signature.
    (re.compile(r"\b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}"), "<token>"),
    (re.compile(r"(?<=://)[^\s/@:]+(?::[^\s/@]*)?@"), "<redacted>@"),
    (re.compile(r"(?i)\b(bearer|token|password|secret)([=: ]+)[^\s,;'\"]{6,}"), r"\1\2<redacted>"),
)
# Source files keep two parts, so that a traceback still says where; every other path says nothing.
_SOURCE_FILE = re.compile(r"(?<![\w.:~<>/-])/(?:[\w.@+-]+/)*([\w.@+-]+/[\w.@+-]+\.py)\b")
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:~<>/-])/(?:[\w.@+=-]+/)+[\w.@+=-]*")
_SUSPECTS = ("/", "hw_", "whsec_", ".", "oken", "ecret", "assword", "earer", "OKEN", "ECRET", "ASSWORD", "EARER")


class Redactor:
    """Cleans text by one set of rules."""

    def __init__(self, roots: Mapping[str, Path] | None = None) -> None:
        """Name the directories whose paths stay readable.

        Args:
            roots: label by directory, such as `{"<data>": data_root}`; what is below keeps its relative path.
        """
        ordered = sorted((roots or {}).items(), key=lambda item: -len(str(item[1])))
        self._roots = [(re.compile(re.escape(str(path)) + r"(?=[/\s'\",:)\]]|$)"), label) for label, path in ordered]

    def clean(self, text: str) -> str:
        """The text without keys, tokens, passwords and absolute paths."""
        if not any(suspect in text for suspect in _SUSPECTS):
            return text
        for pattern, replacement in _REPLACEMENTS:
            text = pattern.sub(replacement, text)
        for pattern, label in self._roots:
            text = pattern.sub(label, text)
        text = _SOURCE_FILE.sub(r"\1", text)
        return _ABSOLUTE_PATH.sub("<path>", text)
