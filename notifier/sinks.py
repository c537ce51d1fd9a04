"""Where messages go: the one interface that every sink has."""

from typing import Protocol

from notifier.messages import Message


class SinkUnavailable(Exception):
    """The message was not taken and will be taken later: an outage, a rate limit.

    Attributes:
        retry_after_seconds: how long the other side wants to be left alone; None where it did not say.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SinkRefused(Exception):
    """This very message will never be taken, whenever it is sent; others will."""


class Sink(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """For logs, such as `log`."""
        ...

    async def send(self, message: Message) -> None:
        """Hand the message over; returns once it was taken for good.

        Raises:
            SinkUnavailable: send it again later.
            SinkRefused: do not send it again.
        """
        ...
