"""Sections of a message as Discord's embeds. Pure.

The titles and colours are those of the rules. What other people wrote is made harmless here, whatever was done to it
before.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import discord

from notifier.discord.card import Card, field
from notifier.discord.harmless import Redact, harmless, in_code
from notifier.messages import Message, Section

_FEW_SECTIONS = 3
_COMPACT_CHARACTERS = 330
_MAX_TITLES = 4


@dataclass(frozen=True, slots=True)
class Wording:
    """What is needed to put an event into words for people.

    Attributes:
        redact: takes out secrets and paths.
        title_of: what people call a run, by its job id; empty when that is not known.
    """

    redact: Redact
    title_of: Callable[[str], str]

    def safe(self, text: str, *, limit: int) -> str:
        """Foreign text, made harmless."""
        return harmless(text, self.redact, limit=limit)

    def name_of(self, section: Section) -> str:
        """What people call the run, where they gave it a name that is known."""
        told = next((fact.value for fact in section.facts if fact.name == "name"), "")
        return told or (self.title_of(section.job_id) if section.job_id else "")


def card_of(message: Message, wording: Wording) -> Card:
    """The whole message: a line for the notification, and an embed for each section, ten at most."""
    put = _in_full if len(message.sections) <= _FEW_SECTIONS else _compact
    return Card(content=_headline(message, wording), embeds=tuple(put(part, wording) for part in message.sections))


def _headline(message: Message, wording: Wording) -> str:
    """Such as `Training completed: iris`, or `Training completed (2), Training failed`."""
    if len(message.sections) == 1:
        only = message.sections[0]
        name = wording.name_of(only) or only.job_id or only.about
        return f"{wording.safe(only.title, limit=100)}: {wording.safe(name, limit=200)}"
    counted = Counter(part.title for part in message.sections).most_common()
    parts = [
        wording.safe(title, limit=100) + (f" ({number})" if number > 1 else "")
        for title, number in counted[:_MAX_TITLES]
    ]
    names = {wording.name_of(part) or part.job_id for part in message.sections if part.job_id}
    about = f": {wording.safe(names.pop(), limit=200)}" if len(names) == 1 else ""
    return ", ".join(parts) + (" and more" if len(counted) > _MAX_TITLES else "") + about


def _in_full(section: Section, wording: Wording) -> discord.Embed:
    embed = _frame(section, wording, limit=2200)
    if section.failure_class:
        field(embed, "Class", wording.safe(section.failure_class, limit=200))
    for fact in section.facts:
        if fact.name not in {"name", "class"} or (fact.name == "class" and not section.failure_class):
            name = wording.safe(fact.name.replace("_", " "), limit=200)
            field(embed, name[:1].upper() + name[1:], wording.safe(fact.value, limit=1000))
    return embed


def _compact(section: Section, wording: Wording) -> discord.Embed:
    """For a message of many: facts in one line, so that ten fit into Discord's 6,000 characters."""
    embed = _frame(section, wording, limit=_COMPACT_CHARACTERS)
    facts = " · ".join(f"{fact.name} {fact.value}" for fact in section.facts if fact.name != "name")
    lines = (embed.description or "", wording.safe(facts, limit=120))
    embed.description = "\n".join(line for line in lines if line)
    return embed


def _frame(section: Section, wording: Wording, *, limit: int) -> discord.Embed:
    name = wording.safe(wording.name_of(section), limit=100)
    about = in_code(section.job_id or section.about, wording.redact, limit=200)
    first = f"**{name}** {about}" if name else about
    text = wording.safe(section.text, limit=max(2, limit - len(first) - 1))
    return discord.Embed(
        title=wording.safe(section.title, limit=200),
        description="\n".join(part for part in (first, text) if part),
        colour=section.colour,
        timestamp=section.occur_time,
    )
