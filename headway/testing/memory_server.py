"""A nats-server in memory: its streams, and the ways in which it can fail."""

from collections.abc import Mapping
from datetime import timedelta

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.bus import Published
from headway.runtime.bus_errors import MessageTooLarge, OutcomeUnknown, StreamMissing
from headway.runtime.clock import Clock
from headway.runtime.jetstream import TIME_TO_LIVE
from headway.runtime.requests import RawStored, whole_seconds
from headway.testing.memory_stream import MemoryStream

_MAX_PAYLOAD_BYTES = 1024 * 1024


class MemoryServer:
    """What a nats-server holds; see `Requests`."""

    def __init__(self, clock: Clock) -> None:
        self.streams: dict[str, MemoryStream] = {}
        self.is_away = False
        self.answers_to_lose = 0
        self._clock = clock
        self._num_created = 0

    def create(self, spec: BucketSpec | StreamSpec) -> None:
        """Make a stream; one of the same name is lost."""
        # Two streams never share a creation time, however fast they follow on each other.
        self._num_created += 1
        created = self._clock.now() + timedelta(microseconds=self._num_created)
        replaced = self.streams.get(spec.stream_name)
        self.streams[spec.stream_name] = MemoryStream(spec, self._clock, created)
        if replaced is not None:
            replaced.wake()

    def stream(self, name: str) -> MemoryStream:
        """A stream by name."""
        self.check_there()
        if name not in self.streams:
            raise StreamMissing(f"stream {name} does not exist; was the bus provisioned?")
        return self.streams[name]

    def check_there(self) -> None:
        """Raise StoreUnavailable while the server is away."""
        if self.is_away:
            raise StoreUnavailable("nats-server is away")

    async def publish(
        self, subject: str, data: bytes, *, ttl: timedelta | None = None, headers: Mapping[str, str] | None = None
    ) -> Published:
        """Store one message."""
        self.check_there()
        sent = dict(headers or {})
        if ttl is not None:
            sent[TIME_TO_LIVE] = f"{whole_seconds(ttl)}s"
        if len(data) + 200 > _MAX_PAYLOAD_BYTES:
            raise MessageTooLarge(f"a message of {len(data)} bytes is over the server's {_MAX_PAYLOAD_BYTES}")
        stream = next((one for one in self.streams.values() if one.accepts(subject)), None)
        if stream is None:
            raise StreamMissing(f"nobody answers on {subject}")
        published = stream.publish(subject, data, sent)
        if self.answers_to_lose > 0:
            self.answers_to_lose -= 1
            raise OutcomeUnknown("the answer was lost")
        return published

    async def last(self, stream: str, subject: str) -> RawStored | None:
        """The newest message of a subject."""
        return self.stream(stream).last(subject)
