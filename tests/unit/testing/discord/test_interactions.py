import pytest
from pydantic import JsonValue

from headway.testing.clock import ManualClock
from headway.testing.discord.conversation import Conversation, Listeners
from headway.testing.discord.errors import ApiError
from headway.testing.discord.interaction import Interaction, InteractionKind, NotAnswered
from headway.testing.discord.interactions import Interactions
from headway.testing.discord.payloads import MessageBody, User
from headway.testing.discord.snowflakes import Snowflakes

CHANNEL = "1"
OWNER = User(id="2", username="owner")
HELLO: JsonValue = {"type": 4, "data": {"content": "hello"}}
LATER: JsonValue = {"type": 5, "data": {"flags": 64}}


class Desk:
    """Interactions with a clock that stands still."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        ids = Snowflakes(self.clock)
        self.conversation = Conversation(self.clock, ids, Listeners())
        self.interactions = Interactions(self.clock, ids, self.conversation)

    def open(self, kind: InteractionKind = InteractionKind.COMMAND) -> Interaction:
        return self.interactions.open(kind, OWNER, CHANNEL, {})

    def respond(self, interaction: Interaction, body: JsonValue) -> None:
        self.interactions.respond(interaction.id, interaction.token, body)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def code_of(caught: "pytest.ExceptionInfo[ApiError]") -> int:
    return caught.value.code


async def test_the_first_word_is_taken_once(desk: Desk) -> None:
    interaction = desk.open()
    desk.respond(interaction, HELLO)
    with pytest.raises(ApiError) as caught:
        desk.respond(interaction, HELLO)
    assert code_of(caught) == 40060
    assert (await interaction.answer(0.1)).content == "hello"
    assert interaction.num_responses == 2


async def test_three_seconds_are_all_there_is_for_the_first_word(desk: Desk) -> None:
    in_time, late = desk.open(), desk.open()
    await desk.clock.advance(2.9)
    desk.respond(in_time, HELLO)
    await desk.clock.advance(0.2)
    with pytest.raises(ApiError) as caught:
        desk.respond(late, HELLO)
    assert code_of(caught) == 10062
    assert not late.is_answered


def test_a_wrong_token_or_id_is_unknown(desk: Desk) -> None:
    interaction = desk.open()
    for made_up in ((interaction.id, "x"), ("1", interaction.token)):
        with pytest.raises(ApiError) as caught:
            desk.interactions.respond(*made_up, HELLO)
        assert code_of(caught) == 10062


async def test_a_deferred_answer_arrives_with_its_edit_and_stays_private(desk: Desk) -> None:
    interaction = desk.open()
    desk.respond(interaction, LATER)
    (thinking,) = desk.conversation.of_channel(CHANNEL)
    assert (thinking.is_loading, thinking.is_ephemeral) == (True, True)
    with pytest.raises(NotAnswered, match="still thinking"):
        await interaction.answer(0.01)
    desk.interactions.edit(interaction.token, "@original", {"content": "here"})
    answer = await interaction.answer(0.1)
    assert (answer.content, answer.is_loading, answer.is_ephemeral, answer.num_edits) == ("here", False, True, 0)


async def test_the_first_follow_up_behind_thinking_takes_its_place(desk: Desk) -> None:
    interaction = desk.open()
    desk.respond(interaction, LATER)
    first = desk.interactions.follow_up(interaction.token, {"content": "one"})
    second = desk.interactions.follow_up(interaction.token, {"content": "two"})
    assert first.id == (await interaction.answer(0.1)).id != second.id
    assert [message.content for message in interaction.follow_ups] == ["two"]


async def test_a_token_is_good_for_fifteen_minutes(desk: Desk) -> None:
    interaction = desk.open()
    desk.respond(interaction, HELLO)
    await desk.clock.advance(15 * 60 + 1)
    with pytest.raises(ApiError) as caught:
        desk.interactions.edit(interaction.token, "@original", {"content": "late"})
    assert code_of(caught) == 50027


def test_nothing_can_be_said_before_the_first_word(desk: Desk) -> None:
    interaction = desk.open()
    with pytest.raises(ApiError):
        desk.interactions.follow_up(interaction.token, {"content": "x"})
    with pytest.raises(ApiError):
        desk.interactions.edit(interaction.token, "@original", {"content": "x"})


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        (InteractionKind.COMMAND, {"type": 7, "data": {"content": "x"}}),
        (InteractionKind.COMMAND, {"type": 8, "data": {"choices": []}}),
        (InteractionKind.AUTOCOMPLETE, HELLO),
        (InteractionKind.COMPONENT, {"type": 99}),
        (InteractionKind.COMMAND, {"type": 4, "data": {"content": "x" * 2001}}),
        (InteractionKind.AUTOCOMPLETE, {"type": 8, "data": {"choices": [{"name": "n" * 101, "value": "v"}]}}),
        (InteractionKind.AUTOCOMPLETE, {"type": 8, "data": {"choices": [{"name": "n", "value": "v"}] * 26}}),
    ],
)
def test_an_answer_of_the_wrong_kind_or_size_is_refused(desk: Desk, kind: InteractionKind, response: JsonValue) -> None:
    interaction = desk.open(kind)
    with pytest.raises(ApiError) as caught:
        desk.respond(interaction, response)
    assert code_of(caught) == 50035
    assert not interaction.is_answered


async def test_a_press_may_change_its_message_or_only_take_note(desk: Desk) -> None:
    message = desk.conversation.create(CHANNEL, MessageBody(content="a"))
    press = desk.interactions.open(InteractionKind.COMPONENT, OWNER, CHANNEL, {}, message=message)
    desk.respond(press, {"type": 6})
    assert not press.is_settled.is_set()
    desk.interactions.edit(press.token, "@original", {"content": "b"})
    assert ((await press.answer(0.1)).id, desk.conversation.get(message.id).content) == (message.id, "b")
