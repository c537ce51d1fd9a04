"""Where a delivered message stands: read from the subject on which it wants to be acknowledged."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Place:
    """What the acknowledgement subject of a message tells about it.

    Attributes:
        num_delivered: how often the consumer was given it.
        stream_sequence: its place in the stream.
        consumer_sequence: counts what this consumer was given, from one and without gaps.
        time: when it was stored.
        pending: messages waiting behind it.
    """

    num_delivered: int
    stream_sequence: int
    consumer_sequence: int
    time: datetime
    pending: int


def read_place(reply: str) -> Place:
    """Read `$JS.ACK.[domain.account.]stream.consumer.delivered.stream seq.consumer seq.time.pending[.random]`."""
    tokens = reply.split(".")
    at = 4 if len(tokens) < 11 else 6
    delivered, stream_sequence, consumer_sequence, nanoseconds, pending = (int(token) for token in tokens[at : at + 5])
    return Place(delivered, stream_sequence, consumer_sequence, datetime.fromtimestamp(nanoseconds / 1e9, UTC), pending)
