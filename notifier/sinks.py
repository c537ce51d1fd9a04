"""Where messages go: the one interface that every sink has, and the three ways in which one may not take a message."""

from typing import Protocol

from notifier.happening import Happening
from notifier.messages import Message


class SinkUnavailable(Exception):
    """The message was not taken and will be taken later: an outage, a rate limit.

    Attributes:
        retry_after_seconds: how long the other side wants to be left alone; None where it did not say.
        may_have_arrived: whether the other side may have taken the message all the same, as behind a time-out. Then
            exactly this message is sent again, with its nonce, so that the other side can see the repeat.
    """

    def __init__(
        self, message: str, *, retry_after_seconds: float | None = None, may_have_arrived: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.may_have_arrived = may_have_arrived


class SinkRefused(Exception):
    """This very message will never be taken, whenever it is sent; others will."""


class SinkShut(Exception):
    """Nothing will be taken until a person acts: a token that was withdrawn, an address that is gone.

    Nothing is lost meanwhile, and nothing is sent but one try a quarter of an hour.

    Attributes:
        remedy: what the person has to do; goes into the log.
    """

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Sink(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """A lower-case word for logs, health, the consumer and the record of what was told, such as `log`."""
        ...

    def wants(self, happening: Happening) -> bool:
        """Whether people are told of this here. What is not wanted counts as told at once."""
        ...

    async def send(self, message: Message) -> None:
        """Hand the message over; returns once it was taken for good.

        Raises:
            SinkUnavailable: send it again later.
            SinkRefused: do not send it again.
            SinkShut: send nothing until somebody has acted.
        """
        ...
