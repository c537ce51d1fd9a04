"""Discord as a sink: each message is one direct message to the owner."""

from collections.abc import Callable

from headway.contract.ids import JobName
from notifier.discord.dm import OwnerDm
from notifier.discord.embeds import Wording, card_of
from notifier.happening import Happening
from notifier.messages import Message


class DiscordSink:
    """See `Sink` for the contract."""

    def __init__(
        self, dm: OwnerDm, wording: Wording, is_watched: Callable[[str], bool], hear: Callable[[JobName], None]
    ) -> None:
        """Tell of the jobs that `is_watched` says, by name.

        Args:
            dm: where messages go.
            wording: how events are put.
            is_watched: whether the owner follows a job.
            hear: told of each job that an event is about, so that its live message is looked after.
        """
        self._dm = dm
        self._wording = wording
        self._is_watched = is_watched
        self._hear = hear

    @property
    def name(self) -> str:
        """For logs, health, the consumer and the record of what was told."""
        return "discord"

    def wants(self, happening: Happening) -> bool:
        """Whether the owner is told: of hosts and models always, of runs when they are watched."""
        if not happening.job_id:
            return True
        name = JobName(happening.project, happening.job_id)
        if happening.transition_number:
            # Every event passes by here once, in order, and long before a sink that is out of order takes it.
            self._hear(name)
        return self._is_watched(name.name)

    async def send(self, message: Message) -> None:
        """Hand the message over; the nonce lets Discord drop what it has taken already."""
        await self._dm.send(card_of(message, self._wording), nonce=message.nonce, is_silent=message.is_silent)
