"""Keeps in the bucket `notifier` what the bot has left with Discord: live messages, and which commands it has."""

from headway.contract.errors import StoreUnavailable
from headway.runtime.logs import get_logger
from headway.runtime.records import Records
from headway.v1.records_pb2 import DiscordRecord, LiveMessage

_log = get_logger(__name__)

KEY = "discord"
MAX_MESSAGES = 500


class LiveStore:
    """Answers from memory; writes the whole record after each change. One notifier writes it."""

    def __init__(self, records: Records[DiscordRecord]) -> None:
        self._records = records
        self._message_ids: dict[str, str] = {}
        self._commands_digest = ""
        self._is_written = True

    async def load(self) -> None:
        """Read what was kept; raises StoreUnavailable."""
        found = await self._records.find(KEY)
        if found is not None:
            self._commands_digest = found.value.commands_digest
            self._message_ids = {entry.job: entry.message_id for entry in found.value.live_messages}

    @property
    def commands_digest(self) -> str:
        """Of the commands as they were registered; empty when they never were."""
        return self._commands_digest

    def messages(self) -> dict[str, str]:
        """Ids of the live messages by job name."""
        return dict(self._message_ids)

    async def keep_commands(self, digest: str) -> None:
        """The commands were registered."""
        self._commands_digest = digest
        await self._write()

    async def keep(self, job: str, message_id: str) -> None:
        """A live message was made."""
        self._message_ids[job] = message_id
        while len(self._message_ids) > MAX_MESSAGES:
            del self._message_ids[next(iter(self._message_ids))]
        await self._write()

    async def forget(self, job: str) -> None:
        """The message of this job is not edited any more."""
        if self._message_ids.pop(job, None) is not None or not self._is_written:
            await self._write()

    async def _write(self) -> None:
        record = DiscordRecord(
            commands_digest=self._commands_digest,
            live_messages=[LiveMessage(job=job, message_id=one) for job, one in self._message_ids.items()],
        )
        try:
            await self._records.put(KEY, record)
        except StoreUnavailable as error:
            # At worst a restart before the next change makes a second live message; nothing waits for this.
            self._is_written = False
            _log.warning("live messages could not be written down", why=error.message)
        else:
            self._is_written = True
