"""Shows what happens in the owner's direct messages, as it happens."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from headway.cli.owner_dm.control import ALL_MESSAGES, NoFakeDiscord, open_control
from headway.cli.owner_dm.rendering import WIDTH, edit_line, message_block
from headway.cli.owner_dm.shown import Change, DirectMessage
from headway.cli.view.consoles import out, visible
from headway.runtime.clock import Clock

_AGAIN_SECONDS = 0.5
_MAX_REMEMBERED = 1000

Print = Callable[[RenderableType], None]


def print_block(block: RenderableType) -> None:
    """One message on stdout, no wider than is good to read."""
    out().print(block, width=min(WIDTH, out().width))


class EditPace:
    """Lets so many edits through in a time: fifty runs that go on at once would drown everything else."""

    def __init__(self, limit: int = 8, seconds: float = 15.0) -> None:
        self._limit = limit
        self._seconds = seconds
        self._told: deque[float] = deque()
        self._num_untold = 0

    def may_tell(self, *, now: float) -> bool:
        """Whether an edit is shown now; one that is not is counted."""
        while self._told and now - self._told[0] >= self._seconds:
            self._told.popleft()
        if len(self._told) >= self._limit:
            self._num_untold += 1
            return False
        self._told.append(now)
        return True

    def take_untold(self) -> int:
        """How many were not shown since the last call."""
        num_untold, self._num_untold = self._num_untold, 0
        return num_untold


class Screen:
    """Turns changes into what is printed: messages whole, edits short unless they say something new.

    Attributes:
        is_caught_up: set once everything from before was shown.
    """

    def __init__(self, clock: Clock, show: Print = print_block, *, shows_thinking: bool = False) -> None:
        self.is_caught_up = asyncio.Event()
        self._clock = clock
        self._pace = EditPace()
        self._show = show
        self._shows_thinking = shows_thinking
        self._seen: dict[str, DirectMessage] = {}
        self._news = asyncio.Event()
        self._is_connected = True

    def take(self, change: Change) -> None:
        """Show a change."""
        if change.message is not None:
            self._take_message(change.kind, change.message)
        elif change.kind == "said":
            self._show(Text.assemble(("you", "bold green"), " ", visible(change.text)))
        else:
            self._take_presence(is_connected=change.kind == "connected")
        self._news.set()
        self._news = asyncio.Event()

    async def wait_shown(self, message: DirectMessage, limit_seconds: float) -> bool:
        """Wait until a message was shown as it is, or newer; returns whether it was."""
        try:
            async with asyncio.timeout(limit_seconds):
                while not self._has_shown(message):
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _has_shown(self, message: DirectMessage) -> bool:
        seen = self._seen.get(message.id)
        return seen is not None and not seen.is_loading and seen.num_edits >= message.num_edits

    def _take_message(self, kind: str, message: DirectMessage) -> None:
        before = self._seen.get(message.id)
        if kind == "deleted":
            self._show(Text(f"headway took a message away: {visible(' '.join(message.titles))}", "dim"))
        elif message == before or (message.is_loading and not self._shows_thinking):
            pass
        elif before is not None and not is_news(before, message):
            self._show_edit(message)
        else:
            is_edited = kind == "edited" and not (before is not None and before.is_loading)
            self._show(message_block(message, is_edited=is_edited))
        self.remember(message)

    def remember(self, message: DirectMessage) -> None:
        """Take a message as shown."""
        self._seen[message.id] = message
        if len(self._seen) > _MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _show_edit(self, message: DirectMessage) -> None:
        if not self._pace.may_tell(now=self._clock.monotonic()):
            return
        line = edit_line(message)
        if num_untold := self._pace.take_untold():
            line.append(f"  (and {num_untold} other edits)", "dim")
        self._show(line)

    def _take_presence(self, *, is_connected: bool) -> None:
        if is_connected != self._is_connected:
            said = "the bot is here" if is_connected else "the bot is away"
            self._show(Text(said, "dim" if is_connected else "yellow"))
        self._is_connected = is_connected
        # The server says so behind the past, whichever it is.
        self.is_caught_up.set()


def is_news(before: DirectMessage, after: DirectMessage) -> bool:
    """Whether an edit is worth the room of a whole message: another title or colour, other buttons, or the answer."""
    return (
        before.is_loading
        or after.interaction_id is not None
        or before.titles != after.titles
        or [embed.color for embed in before.embeds] != [embed.color for embed in after.embeds]
        or before.buttons != after.buttons
    )


async def watch_owner(home: Path, clock: Clock, *, since: datetime) -> None:
    """Print the owner's direct messages until cancelled; a fake Discord that is started again is found again.

    Args:
        home: where it runs.
        clock: of waits.
        since: messages from before are not shown, unless they change.
    """
    screen = Screen(clock)
    while True:
        try:
            async with open_control(home) as control:
                async for change in control.changes(num_past=ALL_MESSAGES):
                    if change.message is not None and is_before(change.message, since):
                        screen.remember(change.message)
                    else:
                        screen.take(change)
        except NoFakeDiscord:
            await clock.sleep(_AGAIN_SECONDS)


def is_before(message: DirectMessage, moment: datetime) -> bool:
    """Whether a message is as it was before a moment."""
    try:
        return datetime.fromisoformat(message.edit_time or message.create_time) < moment
    except (ValueError, TypeError):
        return False
