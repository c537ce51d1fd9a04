import pytest

from headway.runtime.jetstream import MessageReply, is_deletion, parse_headers


def test_headers_of_a_stored_message_are_read() -> None:
    raw = b"NATS/1.0\r\nNats-Msg-Id: j1:1\r\nce-time: 10:00:00\r\nempty:\r\n\r\n"
    assert parse_headers(raw) == {"Nats-Msg-Id": "j1:1", "ce-time": "10:00:00", "empty": ""}
    assert parse_headers(b"") == {}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Nats-Msg-Id": "1"}, False),
        ({"KV-Operation": "DEL"}, True),
        ({"KV-Operation": "PURGE"}, True),
        ({"KV-Operation": "PUT"}, False),
        ({"Nats-Marker-Reason": "MaxAge"}, True),
    ],
)
def test_deletions_and_expiry_markers_are_told_from_values(headers: dict[str, str], expected: bool) -> None:
    assert is_deletion(headers) is expected


def test_a_message_without_a_body_and_with_nanoseconds_is_read() -> None:
    reply = MessageReply.model_validate_json(
        b'{"type":"x","message":{"subject":"a","seq":3,"time":"2030-01-01T00:00:00.123456789Z"}}'
    )
    assert reply.message is not None
    assert (reply.message.data, reply.message.time.microsecond) == (b"", 123456)
