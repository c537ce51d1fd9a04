"""The sink of a machine without any other: structured lines in the log, and one readable line for each message."""

import asyncio
from typing import TextIO

from headway.contract.times import rfc3339
from headway.runtime.logs import get_logger
from notifier.happening import Happening
from notifier.messages import Message
from notifier.sinks import SinkRefused, SinkUnavailable

_log = get_logger(__name__)


class LogSink:
    """See `Sink` for the contract."""

    def __init__(self, readable: TextIO) -> None:
        """Write the readable lines to `readable`; the structured ones go where the service logs."""
        self._readable = readable

    @property
    def name(self) -> str:
        """For logs."""
        return "log"

    def wants(self, happening: Happening) -> bool:
        """Everything."""
        del happening
        return True

    async def send(self, message: Message) -> None:
        """Write; a reader that does not read delays messages, and loses none."""
        try:
            # In a thread: a full pipe would stop everything else of this service.
            await asyncio.to_thread(self._write_line, message.line)
        except UnicodeEncodeError as error:
            raise SinkRefused(f"the terminal has no such characters: {error}") from error
        except (OSError, ValueError) as error:  # ValueError: the stream is closed.
            raise SinkUnavailable(f"the line could not be written: {error}") from error
        for section in message.sections:
            _log.info(
                "told",
                what=section.event,
                event_id=section.event_id,
                about=section.about,
                title=section.title,
                text=section.text,
                occurred=rfc3339(section.occur_time),
                earlier=[entry.event_id for entry in section.earlier],
                # Below a key of their own: a metric may be called `level`.
                facts={fact.name: fact.value for fact in section.facts},
            )

    def _write_line(self, line: str) -> None:
        self._readable.write(f"{line}\n")
        self._readable.flush()
