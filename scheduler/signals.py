"""Who is woken by what: the pass loop by any news, a host's stream by news about its attempts."""

import asyncio
from collections.abc import Iterable


class Signals:
    """Wake-up calls. Setting one twice before it is heard is the same as setting it once."""

    def __init__(self) -> None:
        self.pass_wanted = asyncio.Event()
        """Set when a pass may find something to change."""
        self.presence_wanted = asyncio.Event()
        """Set when what the bucket `hosts` says may be old."""
        self._streams: dict[str, asyncio.Event] = {}

    def news(self, hosts: Iterable[str] = ()) -> None:
        """Something changed; the desired state of `hosts` may have."""
        self.pass_wanted.set()
        self.presence_wanted.set()
        for host in hosts:
            stream = self._streams.get(host)
            if stream is not None:
                stream.set()

    def attach(self, host: str, stream: asyncio.Event) -> None:
        """Wake this stream from now on when there is news for the host."""
        self._streams[host] = stream

    def detach(self, host: str, stream: asyncio.Event) -> None:
        """Wake it no longer, unless a newer stream has taken its place."""
        if self._streams.get(host) is stream:
            del self._streams[host]
