import pytest

from headway.runtime.nats_place import read_place


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.EVENTS.feed-1.2.30.4.1700000000000000000.5",
        "$JS.ACK.domain.account.EVENTS.feed-1.2.30.4.1700000000000000000.5.random",
    ],
)
def test_the_place_of_a_message_is_read_from_its_reply_subject(reply: str) -> None:
    place = read_place(reply)

    assert (place.num_delivered, place.stream_sequence, place.consumer_sequence, place.pending) == (2, 30, 4, 5)
    assert place.time.timestamp() == 1_700_000_000
