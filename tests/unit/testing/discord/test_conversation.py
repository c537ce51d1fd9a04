import pytest

from headway.testing.clock import ManualClock
from headway.testing.discord import conversation as conversations
from headway.testing.discord.conversation import ChangeKind, Conversation, Listeners
from headway.testing.discord.errors import ApiError
from headway.testing.discord.payloads import Embed, MessageBody
from headway.testing.discord.snowflakes import Snowflakes

CHANNEL = "1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def listeners() -> Listeners:
    return Listeners()


@pytest.fixture
def conversation(clock: ManualClock, listeners: Listeners) -> Conversation:
    return Conversation(clock, Snowflakes(clock), listeners)


def test_an_edit_changes_what_it_says_and_leaves_the_rest(conversation: Conversation) -> None:
    made = conversation.create(CHANNEL, MessageBody(content="a", embeds=(Embed(title="t"),), flags=4096))
    edited = conversation.edit(made.id, MessageBody(content="b"))
    assert (edited.content, edited.embeds, edited.is_silent, edited.num_edits) == ("b", made.embeds, True, 1)
    assert conversation.edit(made.id, MessageBody(embeds=())).embeds == ()


def test_nothing_to_see_is_no_message(conversation: Conversation) -> None:
    made = conversation.create(CHANNEL, MessageBody(content="a"))
    for bad in (MessageBody(), MessageBody(content=None)):
        with pytest.raises(ApiError) as caught:
            conversation.create(CHANNEL, bad)
        assert caught.value.code == 50006
    with pytest.raises(ApiError):
        conversation.edit(made.id, MessageBody(content=None))
    assert conversation.get(made.id) == made


def test_a_message_is_found_in_its_own_channel_only(conversation: Conversation) -> None:
    made = conversation.create(CHANNEL, MessageBody(content="a"))
    with pytest.raises(ApiError) as caught:
        conversation.get(made.id, "2")
    assert (caught.value.status, caught.value.code) == (404, 10008)


async def test_a_nonce_counts_for_five_minutes_and_only_when_enforced(
    conversation: Conversation, clock: ManualClock
) -> None:
    body = MessageBody(content="a", nonce="n", enforce_nonce=True)
    first = conversation.create(CHANNEL, body)
    assert conversation.create(CHANNEL, body).id == first.id
    assert conversation.create("2", body).id != first.id
    assert conversation.create(CHANNEL, MessageBody(content="a", nonce="n")).id != first.id
    await clock.advance(301)
    assert conversation.create(CHANNEL, body).id != first.id


def test_ids_grow_even_when_the_clock_is_set_back(clock: ManualClock) -> None:
    ids = Snowflakes(clock)
    first = ids.next()
    clock.set_wall(clock.now().replace(year=2029))
    assert int(ids.next()) > int(first)


def test_whoever_listens_hears_every_change(conversation: Conversation, listeners: Listeners) -> None:
    with listeners.listening() as heard:
        made = conversation.create(CHANNEL, MessageBody(content="a"))
        conversation.edit(made.id, MessageBody(content="b"))
        conversation.delete(made.id)
        kinds = [heard.get_nowait().kind for _ in range(3)]
    assert kinds == [ChangeKind.CREATED, ChangeKind.EDITED, ChangeKind.DELETED]
    conversation.create(CHANNEL, MessageBody(content="c"))
    assert heard.empty()


def test_the_oldest_messages_are_forgotten(conversation: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MAX_MESSAGES", 2)
    for word in "abc":
        conversation.create(CHANNEL, MessageBody(content=word, nonce=word, enforce_nonce=True))
    assert [message.content for message in conversation.of_channel(CHANNEL)] == ["b", "c"]
