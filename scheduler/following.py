"""Follows a feed message by message, and says when what was stored before the start is through."""

import asyncio
from collections.abc import Callable

from headway.runtime.feeds import Feed, Message


async def follow(feed: Feed, take_in: Callable[[Message], None], caught_up: asyncio.Event) -> None:
    """Give every message of an open feed to `take_in`, for ever; set `caught_up` when none that is older waits."""
    if feed.is_caught_up:
        caught_up.set()
    async for message in feed:
        take_in(message)
        if feed.is_caught_up:
            caught_up.set()
