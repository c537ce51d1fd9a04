"""What is heard about runs, from events, from progress and from the owner; and the bell that wakes the live board."""

import asyncio
from collections.abc import Callable

from headway.contract.errors import StoreUnavailable
from headway.contract.ids import JobName
from headway.runtime.clock import Clock
from headway.runtime.feeds import Feed, StreamReplaced
from headway.runtime.logs import get_logger
from notifier.discord.live_embeds import LiveRuns
from notifier.discord.progress_events import decode_progress
from notifier.discord.run_names import RunNames

_log = get_logger(__name__)

_LISTEN_AGAIN_SECONDS = 1.0


class Hearing:
    """Takes note of what is heard, and rings."""

    def __init__(self, runs: LiveRuns, names: RunNames, clock: Clock) -> None:
        self.bell = asyncio.Event()
        self.num_unreadable = 0
        self._runs = runs
        self._names = names
        self._clock = clock

    def hear(self, name: JobName) -> None:
        """Something about a run has changed."""
        self._names.learn(name)
        self._runs.hear(name, now_seconds=self._clock.monotonic())
        self.bell.set()

    async def listen(self, open_feed: Callable[[], Feed]) -> None:
        """Listen to progress for ever; the stream is the gateway's, and may not be there yet."""
        while True:
            try:
                async with open_feed() as feed:
                    await self.follow(feed)
            except (StreamReplaced, StoreUnavailable) as error:
                _log.debug("no progress to listen to", why=str(error))
                await self._clock.sleep(_LISTEN_AGAIN_SECONDS)

    async def follow(self, feed: Feed) -> None:
        """Take what a feed brings; only the newest of each run is kept."""
        async for message in feed:
            found = decode_progress(message.subject, message.data)
            if found is None:
                self.num_unreadable += 1
                continue
            self._runs.hear_progress(*found, now_seconds=self._clock.monotonic())
            self.bell.set()
