from collections.abc import Sequence

import pytest

from headway.testing.discord.errors import ApiError
from headway.testing.discord.limits import check_body, pings_of
from headway.testing.discord.payloads import AllowedMentions, Json, MessageBody, read


def body(**fields: object) -> MessageBody:
    return MessageBody.model_validate(fields, strict=False)


def embed(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if isinstance(value, str | int | list)}


def faults_of(message: MessageBody, *, is_answer: bool = False) -> list[str]:
    try:
        check_body(message, is_answer=is_answer)
    except ApiError as error:
        return [".".join(fault.path) for fault in error.faults]
    return []


FIELD = {"name": "a", "value": "b"}


@pytest.mark.parametrize(
    "message",
    [
        body(content="x" * 2000),
        body(embeds=[embed(title="x")] * 10),
        body(embeds=[embed(description="x" * 4096), embed(description="x" * 1904)]),
        body(embeds=[embed(fields=[FIELD] * 25)]),
        body(content="x", nonce="x" * 25, flags=4096),
        body(embeds=[embed(title="x" * 256, color=0xFFFFFF, fields=[{"name": "n" * 256, "value": "v" * 1024}])]),
    ],
)
def test_the_limits_themselves_are_allowed(message: MessageBody) -> None:
    assert faults_of(message) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (body(content="x" * 2001), ["content"]),
        (body(embeds=[embed(title="x")] * 11), ["embeds"]),
        (body(embeds=[embed(description="x" * 4096), embed(description="x" * 1905)]), ["embeds"]),
        (body(embeds=[embed(description="x" * 4097)]), ["embeds.0.description"]),
        (body(embeds=[embed(title="x" * 257)]), ["embeds.0.title"]),
        (body(embeds=[embed(color=0x1000000)]), ["embeds.0.color"]),
        (body(embeds=[embed(fields=[FIELD] * 26)]), ["embeds.0.fields"]),
        (body(embeds=[embed(fields=[{"name": " ", "value": "v"}])]), ["embeds.0.fields.0.name"]),
        (body(embeds=[embed(fields=[{"name": "n", "value": "v" * 1025}])]), ["embeds.0.fields.0.value"]),
        (body(content="x", nonce="x" * 26), ["nonce"]),
        (body(content="x", flags=1 << 15), ["flags"]),
        (body(content="x", flags=64), ["flags"]),
        (body(content="x", allowed_mentions={"parse": ["people"]}), ["allowed_mentions.parse.0"]),
        (body(content="x", allowed_mentions={"parse": ["users"], "users": ["1"]}), ["allowed_mentions.users"]),
    ],
)
def test_one_more_is_refused_with_the_field(message: MessageBody, expected: Sequence[str]) -> None:
    assert faults_of(message) == list(expected)
    with pytest.raises(ApiError) as caught:
        check_body(message)
    assert (caught.value.status, caught.value.code) == (400, 50035)


def test_only_an_answer_can_be_ephemeral() -> None:
    assert faults_of(body(content="x", flags=64), is_answer=True) == []


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (None, ("@everyone", "<@1>", "<@&2>")),
        (AllowedMentions(), ()),
        (AllowedMentions(parse=("users",)), ("<@1>",)),
        (AllowedMentions(users=("1",)), ("<@1>",)),
        (AllowedMentions(parse=("everyone", "roles")), ("@everyone", "<@&2>")),
    ],
)
def test_a_mention_pings_whom_it_may(allowed: AllowedMentions | None, expected: tuple[str, ...]) -> None:
    assert pings_of("@everyone <@1> <@&2> @nobody", allowed) == expected


def test_what_is_no_message_is_refused_as_discord_does() -> None:
    with pytest.raises(ApiError) as caught:
        read(MessageBody, {"content": 5, "embeds": [{"fields": "none"}]})
    assert caught.value.body()["code"] == 50035
    assert [fault.path[0] for fault in caught.value.faults] == ["content", "embeds"]
    with pytest.raises(ApiError) as caught:
        read(MessageBody, {"content": "\ud800"})
    assert caught.value.code == 50109
