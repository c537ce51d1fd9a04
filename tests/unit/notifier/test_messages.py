"""Nothing leaves that must not: secrets, paths, control characters, overlength."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headway.runtime.redaction import Redactor
from notifier.messages import (
    MAX_FIELDS,
    MAX_LINE_CHARACTERS,
    NONCE_CHARACTERS,
    Earlier,
    Fact,
    Message,
    Section,
    clean_message,
    cut,
    plain,
)
from notifier.rules import section_of
from tests.unit.notifier.doubles import a_cancelled_job, a_failed_job, a_running_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CLEAN = Redactor({"<data>": Path("/srv/data")}).clean

CANARIES = {
    "a key of ours": "hw_abcdefgh_0123456789abcdefABCDEF_1a2b3c",
    "a Discord token": "M" + "a" * 23 + "." + "b" * 6 + "." + "c" * 27,
    "a path": "/srv/private/corpus/x.txt",
}


def a_section(**changes: str) -> Section:
    values = {"about": "projects/p/jobs/j", "title": "Training failed", "text": "It broke."} | changes
    return Section(
        event="trainer.train.failed",
        event_id="j:1",
        about=values["about"],
        title=values["title"],
        colour=1,
        text=values["text"],
        facts=(Fact("reason", "DISK_FULL"), Fact("host", "a")),
        occur_time=NOW,
    )


def test_a_message_reads_as_one_line() -> None:
    message = Message((a_section(), a_section(title="Training queued", text="")))
    assert message.line == (
        "Training failed: projects/p/jobs/j - It broke. - reason DISK_FULL, host a | "
        "Training queued: projects/p/jobs/j - reason DISK_FULL, host a"
    )


@pytest.mark.parametrize("what", CANARIES)
def test_no_secret_and_no_path_gets_into_a_message(what: str) -> None:
    """P30: wherever a caller or a failing program may have put it."""
    canary = CANARIES[what]
    happenings = [
        happenings_of(a_running_job(NOW, display_name=f"a {canary} b"))[0],
        happenings_of(a_failed_job(NOW, message=f"cannot read {canary}: denied"))[-1],
        happenings_of(a_cancelled_job(NOW, message=canary))[-1],
    ]
    dirty = [section_of(happening, now=NOW) for happening in happenings]
    assert canary in repr(dirty)
    message = clean_message(dirty, CLEAN)
    assert canary not in repr(message)
    assert canary not in message.line


def test_no_text_can_forge_a_line_or_turn_the_writing() -> None:
    text = 'first\nsecond\r\x1b[31mred\x00\u202eevil\u2028third "}\n{"level":"error"'
    message = clean_message([a_section(text=text, title=text, about=text)], CLEAN)
    assert all(character.isprintable() for character in message.line)
    assert "\n" not in message.line


def test_a_secret_cannot_hide_behind_a_control_character() -> None:
    message = clean_message([a_section(text="\x1b[31mhw_abcdefgh_0123456789abcdef_1a2b")], CLEAN)
    assert "0123456789abcdef" not in message.line


def test_everything_has_a_length() -> None:
    section = a_section(text="x" * 5000, title="y" * 5000, about="z" * 5000)
    many = Section(
        event=section.event,
        event_id="i" * 5000,
        about=section.about,
        title=section.title,
        colour=1,
        text=section.text,
        facts=tuple(Fact("n" * 500, "v" * 5000) for _ in range(50)),
        occur_time=NOW,
    )
    message = clean_message([many] * 10, CLEAN)
    assert len(message.line) <= MAX_LINE_CHARACTERS
    assert message.line.count("y" * 99 + "…") == 10  # Every section is there.
    assert len(message.sections[0].facts) == MAX_FIELDS
    assert all(len(fact.value) <= 200 for fact in message.sections[0].facts)
    assert len(message.sections[0].text) == 1000


def test_text_is_cut_with_a_sign() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"


def test_plain_text_stays_as_it_is() -> None:
    assert plain("Größe  3 m² naïve 模型") == "Größe 3 m² naïve 模型"


def test_the_nonce_names_the_events_and_not_their_words() -> None:
    """F49: the same events, sent again, are the same message, however they are put."""
    first, second = a_section(), replace(a_section(), event_id="j:2")
    folded = replace(second, earlier=(Earlier(event="trainer.train.queued", event_id="j:1", occur_time=NOW),))
    nonce = Message((first, second)).nonce
    assert len(nonce) == NONCE_CHARACTERS
    assert Message((second, first), is_silent=True).nonce == nonce
    assert Message((replace(first, text="It happened 5 min ago."), second)).nonce == nonce
    assert Message((folded,)).nonce == nonce
    assert Message((first,)).nonce != nonce != Message((second,)).nonce
