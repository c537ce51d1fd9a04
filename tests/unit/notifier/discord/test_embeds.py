from datetime import UTC, datetime

import pytest

from headway.runtime.redaction import Redactor
from notifier.discord.card import MAX_EMBED_CHARACTERS, within_limits
from notifier.discord.embeds import Wording, card_of
from notifier.messages import Fact, Message, Section

wording = Wording(Redactor().clean, lambda _: "")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def a_section(title: str = "Training completed", text: str = "", facts: tuple[Fact, ...] = ()) -> Section:
    return Section(
        event="trainer.train.completed",
        event_id="j1:4",
        about="projects/demo/jobs/j1",
        title=title,
        colour=0x57F287,
        text=text,
        facts=facts,
        occur_time=NOW,
        project="demo",
        job_id="j1",
    )


def test_the_line_above_says_what_a_telephone_should_show() -> None:
    assert card_of(Message((a_section(),)), wording).content == "Training completed: j1"
    named = a_section(facts=(Fact("name", "*iris*"),))
    assert card_of(Message((named,)), wording).content == r"Training completed: \*iris\*"
    three = (a_section(), a_section(), a_section("Training failed"))
    assert card_of(Message(three), wording).content == "Training completed (2), Training failed: j1"


def test_colour_time_and_facts_are_those_of_the_section() -> None:
    (embed,) = card_of(Message((a_section(facts=(Fact("took", "3 s"),)),)), wording).embeds
    assert embed.colour is not None
    assert (embed.colour.value, embed.timestamp) == (0x57F287, NOW)
    assert [(field.name, field.value) for field in embed.fields] == [("Took", "3 s")]


@pytest.mark.parametrize("number", [1, 3, 4, 10, 15])
def test_a_message_of_any_size_fits(number: int) -> None:
    facts = tuple(Fact(f"*fact* {at}", "*" * 200) for at in range(12))
    card = card_of(Message((a_section(text="_" * 1000, facts=facts),) * number), wording)
    embeds = within_limits(card.embeds)
    assert len(card.content) <= 2000
    assert len(embeds) == min(number, 10)
    assert sum(len(embed) for embed in embeds) <= MAX_EMBED_CHARACTERS
    assert all("j1" in (embed.description or "") for embed in embeds)


def test_a_run_is_called_as_people_call_it() -> None:
    named = Wording(Redactor().clean, {"j1": "*iris*"}.__getitem__)
    card = card_of(Message((a_section(), a_section("Model registered"))), named)
    assert card.content == r"Training completed, Model registered: \*iris\*"
    assert all((embed.description or "").startswith(r"**\*iris\*** `j1`") for embed in card.embeds)
