"""The platform's default execution mode: kept in the bucket `settings`, changed at run time."""

import asyncio
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from gateway.job_view import etag_of
from gateway.store_guard import UNGUARDED, Guard
from headway.contract.errors import EtagMismatch, InvalidArgument, Violation, echo
from headway.contract.subjects import SETTINGS
from headway.contract.times import timestamp
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, Message, StreamReplaced
from headway.runtime.logs import get_logger
from headway.runtime.records import Conflict, RecordExists, Records
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED, ExecutionMode
from headway.v1.system_service_pb2 import ExecutionConfig

_log = get_logger(__name__)

KEY = "execution"
"""The record's key in the bucket `settings`."""

_CONFIG_PATH = "config"
_CHANGEABLE = ("default_mode", "*")


class ExecutionConfigs:
    """Holds the configuration, follows changes by other gateways, and makes its own."""

    def __init__(
        self,
        bus: Bus,
        start_mode: "ExecutionMode.ValueType",
        clock: Clock,
        *,
        records: Records[ExecutionConfig] | None = None,
        guard: Guard = UNGUARDED,
    ) -> None:
        """Begin with the start-up default.

        Args:
            bus: holds the bucket.
            start_mode: used until somebody changes it at run time; TRAINING_DEFAULT_MODE.
            clock: for the time of changes.
            records: the bucket, where it is not read and written plainly.
            guard: knows whether the bucket is lost.
        """
        self._guard = guard
        self._bus = bus
        self._records: Records[ExecutionConfig] = records or bus.records(SETTINGS, ExecutionConfig)
        self._clock = clock
        self._start = ExecutionConfig(default_mode=start_mode)
        self._current = self._start
        self._revision = 0

    async def prime(self) -> None:
        """Read what is stored, once, before the first submission."""
        await self.get()

    async def run(self) -> None:
        """Follow the bucket for ever. A loop of the service."""
        while not self._guard.is_lost:
            try:
                async with self._bus.feed(SETTINGS, start=LAST_PER_SUBJECT) as feed:
                    async for message in feed:
                        self._take(message)
            except StreamReplaced:
                self._guard.declare("the bucket settings was made anew, or is an old copy")
                if not self._guard.is_lost:
                    self._current, self._revision = self._start, 0
            except StreamMissing:
                if not await self._guard.look():
                    raise
        await asyncio.Event().wait()

    def default_mode(self) -> "ExecutionMode.ValueType":
        """The mode of jobs that name none, as last heard."""
        return self._current.default_mode

    async def get(self) -> ExecutionConfig:
        """The configuration as it is stored now; a copy."""
        stored = await self._records.find(KEY)
        if stored is None:
            return _copy(self._start, 0)
        self._keep(stored.value, stored.revision)
        return _copy(stored.value, stored.revision)

    async def update(
        self, wanted: ExecutionConfig, update_mask: Sequence[str] = ()
    ) -> tuple[ExecutionConfig, ExecutionConfig]:
        """Change the default mode, for jobs submitted from now on.

        Args:
            wanted: the new values, and the etag that they build on, if any.
            update_mask: what to change; empty or `*` means every field. Only `default_mode` can change.

        Returns:
            The configuration before and after.

        Raises:
            EtagMismatch: `wanted` carries an etag and the configuration has changed since, or somebody changed it
                at the same moment; nothing was written.
            InvalidArgument: no mode is named, or the mask names something else.
        """
        _check_mask(update_mask)
        if wanted.default_mode == EXECUTION_MODE_UNSPECIFIED:
            raise _no_mode()
        previous = await self.get()
        if wanted.etag and wanted.etag != previous.etag:
            raise _changed(previous.etag)
        current = ExecutionConfig(default_mode=wanted.default_mode, update_time=timestamp(self._clock.now()))
        revision = await self._write(current, previous.etag)
        self._keep(current, revision)
        return previous, _copy(current, revision)

    async def _write(self, config: ExecutionConfig, previous_etag: str) -> int:
        revision = int(previous_etag.strip('"'))
        try:
            if revision == 0:
                return await self._records.create(KEY, config)
            return await self._records.update(KEY, config, revision)
        except (Conflict, RecordExists):
            raise _changed("") from None

    def _take(self, message: Message) -> None:
        if message.key != KEY:
            return
        if message.is_deleted:
            self._keep(self._start, message.sequence)
            return
        try:
            self._keep(ExecutionConfig.FromString(message.data), message.sequence)
        except DecodeError:
            _log.error("the execution configuration cannot be read; the one before stays")

    def _keep(self, config: ExecutionConfig, revision: int) -> None:
        if revision >= self._revision:
            self._current, self._revision = config, revision


def _copy(config: ExecutionConfig, revision: int) -> ExecutionConfig:
    copy = ExecutionConfig()
    copy.CopyFrom(config)
    copy.etag = etag_of(revision)
    return copy


def _check_mask(update_mask: Sequence[str]) -> None:
    unknown = [path for path in update_mask if path not in _CHANGEABLE]
    if unknown:
        message = f"{echo(unknown[0])} cannot be changed"
        violation = Violation("update_mask", InvalidArgument.reason, message, " or ".join(_CHANGEABLE), "default_mode")
        raise InvalidArgument(message, violations=[violation])


def _no_mode() -> InvalidArgument:
    message = "no mode is named"
    violation = Violation(
        f"{_CONFIG_PATH}.default_mode", InvalidArgument.reason, message, "AUTO, LOCAL or HOST", "AUTO"
    )
    return InvalidArgument(message, violations=[violation])


def _changed(current_etag: str) -> EtagMismatch:
    return EtagMismatch(
        "the execution configuration has changed since; read it and decide again",
        metadata={"etag": current_etag} if current_etag else {},
    )
