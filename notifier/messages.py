"""What is told to people, before any sink gives it a form of its own."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

MAX_TITLE_CHARACTERS = 100
MAX_TEXT_CHARACTERS = 1000
MAX_FIELD_CHARACTERS = 200
MAX_FIELDS = 12
MAX_LINE_CHARACTERS = 2000
"""Longest readable line; also the most that one Discord message may hold."""

NONCE_CHARACTERS = 25
"""The most that Discord takes; 100 bits of a digest."""

_BETWEEN = " | "

_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that could forge a line of a log, colour a terminal or turn the direction of writing."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Taken out whole: its last letter, left before a secret, would hide the secret's beginning."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An event of the same job that is told along with a later one, in a word.

    Attributes:
        event: its type without the version.
        event_id: its id.
        occur_time: when it happened, UTC.
    """

    event: str
    event_id: str
    occur_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one event is told as.

    Attributes:
        event: type of the event without the version.
        event_id: the event's id, for sinks that can drop repeats.
        about: the job, model version or host, by its resource name or id.
        title: a few words.
        colour: 0xRRGGBB.
        text: sentences; may be empty.
        facts: in the order of their weight.
        occur_time: when it happened, UTC.
        project: project id; empty for hosts.
        job_id: empty where it is not about a job.
        is_terminal: whether the job came to its end.
        failure_class: USER_INPUT, TRANSIENT or FATAL; empty unless the job failed.
        earlier: events of the same job that are told with this one, in their order; `text` names them.
    """

    event: str
    event_id: str
    about: str
    title: str
    colour: int
    text: str
    facts: tuple[Fact, ...]
    occur_time: datetime
    project: str = ""
    job_id: str = ""
    is_terminal: bool = False
    failure_class: str = ""
    earlier: tuple[Earlier, ...] = ()

    @property
    def event_ids(self) -> tuple[str, ...]:
        """Of every event that it tells, in order."""
        return (*(entry.event_id for entry in self.earlier), self.event_id)

    @property
    def line(self) -> str:
        """The section as one sentence: title, what it is about, text, facts."""
        facts = ", ".join(f"{fact.name} {fact.value}" for fact in self.facts)
        return " - ".join(part for part in (f"{self.title}: {self.about}", self.text, facts) if part)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at once: one section or several.

    Attributes:
        sections: in the order in which they are told.
        is_silent: whether it should make no sound where it arrives.
    """

    sections: tuple[Section, ...]
    is_silent: bool = False

    @property
    def nonce(self) -> str:
        """Names the events in it: the same events, sent again, have the same nonce, however they are put into words."""
        ids = sorted(event_id for section in self.sections for event_id in section.event_ids)
        return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:NONCE_CHARACTERS]

    @property
    def line(self) -> str:
        """The message as one line for people, with an equal share for each section so that none is cut off whole."""
        share = MAX_LINE_CHARACTERS // max(1, len(self.sections)) - len(_BETWEEN)
        return _BETWEEN.join(cut(section.line, share) for section in self.sections)


def clean_message(sections: Sequence[Section], redact: Callable[[str], str], *, is_silent: bool = False) -> Message:
    """A message with nothing in it that must not leave: no secrets, no paths, no control characters, no overlength."""
    return Message(tuple(_clean_section(section, redact) for section in sections), is_silent)


def _clean_section(section: Section, redact: Callable[[str], str]) -> Section:
    def clean(text: str, limit: int) -> str:
        return cut(redact(plain(text)), limit)

    facts = [
        Fact(clean(fact.name, MAX_TITLE_CHARACTERS), clean(fact.value, MAX_FIELD_CHARACTERS))
        for fact in section.facts[:MAX_FIELDS]
    ]
    return replace(
        section,
        event_id=clean(section.event_id, MAX_FIELD_CHARACTERS),
        about=clean(section.about, MAX_FIELD_CHARACTERS),
        title=clean(section.title, MAX_TITLE_CHARACTERS),
        text=clean(section.text, MAX_TEXT_CHARACTERS),
        facts=tuple(facts),
        project=clean(section.project, MAX_FIELD_CHARACTERS),
        job_id=clean(section.job_id, MAX_FIELD_CHARACTERS),
        failure_class=clean(section.failure_class, MAX_FIELD_CHARACTERS),
        earlier=tuple(
            replace(entry, event_id=clean(entry.event_id, MAX_FIELD_CHARACTERS)) for entry in section.earlier
        ),
    )


def plain(text: str) -> str:
    """The text on one line, without terminal colours, and with spaces for control characters."""
    text = _COLOUR.sub(" ", text)
    return " ".join("".join(" " if unicodedata.category(c) in _CONTROL else c for c in text).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis shows that there was more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
