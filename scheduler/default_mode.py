"""Follows the platform's default execution mode: the one given at start, until somebody changes it at run time."""

import asyncio

from google.protobuf.message import DecodeError

from headway.contract.modes import mode_name
from headway.contract.subjects import SETTINGS
from headway.runtime.bus import Bus
from headway.runtime.feeds import LAST_PER_SUBJECT, Message
from headway.runtime.logs import get_logger
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED, ExecutionMode
from headway.v1.system_service_pb2 import ExecutionConfig
from scheduler.cluster_view import ClusterView
from scheduler.following import follow

_log = get_logger(__name__)
EXECUTION_KEY = "execution"


class DefaultModeFollower:
    """Keeps the view's default mode as the bucket `settings` has it."""

    def __init__(self, bus: Bus, view: ClusterView, start_mode: "ExecutionMode.ValueType") -> None:
        self.caught_up = asyncio.Event()
        """Set once the setting that existed at the start has been seen."""
        self._bus = bus
        self._view = view
        self._start_mode = start_mode

    async def run(self) -> None:
        """Follow for ever."""
        async with self._bus.feed(SETTINGS, start=LAST_PER_SUBJECT) as feed:
            await follow(feed, self.take_in, self.caught_up)

    def take_in(self, message: Message) -> None:
        """The setting as it now is; one that cannot be read changes nothing."""
        if message.key != EXECUTION_KEY:
            return
        try:
            config = ExecutionConfig.FromString(b"" if message.is_deleted else message.data)
        except DecodeError:
            _log.error("execution setting cannot be read; the mode stays", mode=mode_name(self._view.default_mode))
            return
        is_set = config.default_mode != EXECUTION_MODE_UNSPECIFIED
        mode = config.default_mode if is_set else self._start_mode
        _log.info("default execution mode", mode=mode_name(mode))
        self._view.set_default_mode(mode)
