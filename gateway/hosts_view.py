"""The trainer hosts as the scheduler last heard of them, kept in memory from the bucket `hosts`."""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from gateway.page_size import page_size as checked_page_size
from gateway.projection.page_token import Cursor, bind, read_token, write_token
from headway.contract.host_facts import HostFacts, facts_of
from headway.contract.subjects import HOSTS
from headway.runtime.bus import Bus
from headway.runtime.feeds import LAST_PER_SUBJECT, Message, StreamReplaced
from headway.runtime.logs import get_logger
from headway.v1.hosts_pb2 import HOST_STATE_LOST, Host
from headway.v1.records_pb2 import HostRecord
from headway.v1.system_service_pb2 import ListHostsResponse

_log = get_logger(__name__)
_BINDING = bind("hosts")


class HostsView:
    """Who is up, and what it can do."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._hosts: dict[str, Host] = {}
        self._facts: tuple[HostFacts, ...] = ()

    async def prime(self) -> None:
        """Read what is there, once, before anything is decided on it."""
        if (await self._bus.stream_state(HOSTS)).num_messages == 0:
            return
        async with self._bus.feed(HOSTS, start=LAST_PER_SUBJECT) as feed:
            async for message in feed:
                self._take(message)
                if feed.is_caught_up:
                    return

    async def run(self) -> None:
        """Follow the bucket for ever. A loop of the service."""
        while True:
            try:
                await self._follow()
            except StreamReplaced:
                _log.warning("the hosts bucket was made anew")
                self._hosts.clear()
                self._settle()
                await self._bus.provision([HOSTS], [])

    def live(self) -> Sequence[HostFacts]:
        """Facts of the hosts that are up, by name."""
        return self._facts

    def all(self) -> Sequence[Host]:
        """Every host that the bucket holds, those lost of late included, by name; shared, so nobody changes them."""
        return [self._hosts[host_id] for host_id in sorted(self._hosts)]

    def list_hosts(self, page_size: int, page_token: str) -> ListHostsResponse:
        """One page by name, those lost of late included and named in `unreachable`.

        Raises:
            OutOfRange: a negative page size.
            InvalidPageToken: not a token of this list.
        """
        size = checked_page_size(page_size)
        after = read_token(_BINDING, page_token).job_id if page_token else ""
        hosts = [host for host in self.all() if host.name > after]
        page = hosts[:size]
        token = write_token(_BINDING, Cursor((0,), page[-1].name)) if len(hosts) > size else ""
        unreachable = [host.name for host in self.all() if host.state == HOST_STATE_LOST]
        return ListHostsResponse(hosts=page, next_page_token=token, unreachable=unreachable)

    async def _follow(self) -> None:
        async with self._bus.feed(HOSTS, start=LAST_PER_SUBJECT) as feed:
            async for message in feed:
                self._take(message)

    def _take(self, message: Message) -> None:
        if message.is_deleted:
            self._hosts.pop(message.key, None)
        else:
            try:
                self._hosts[message.key] = HostRecord.FromString(message.data).host
            except DecodeError:
                _log.error("a host's record cannot be read", host=message.key)
                return
        self._settle()

    def _settle(self) -> None:
        self._facts = tuple(facts_of(host) for host in self.all() if host.state != HOST_STATE_LOST)
