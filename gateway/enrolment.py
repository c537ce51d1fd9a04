"""Makes the key with which one trainer host may join."""

from dataclasses import dataclass

from headway.contract.access import ALL_PROJECTS, Scope
from headway.contract.ids import check_host_id
from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.runtime.keys import make_key
from headway.runtime.records import Records
from headway.v1.records_pb2 import KeyRecord


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a new host needs to know.

    Attributes:
        key: told once; kept only as its SHA-256.
        gateway_address: host:port to dial.
        scheduler_address: host:port to dial.
    """

    key: str
    gateway_address: str
    scheduler_address: str


class Enrolment:
    """Makes keys of scope host."""

    def __init__(self, keys: Records[KeyRecord], clock: Clock, *, gateway_address: str, scheduler_address: str) -> None:
        """Args: keys: the bucket. clock: for the time of making. The addresses as this gateway knows them."""
        self._keys = keys
        self._clock = clock
        self._gateway_address = gateway_address
        self._scheduler_address = scheduler_address

    async def enroll(self, host_id: str, user_id: str) -> Enrolled:
        """Make a key that only this host can use. Earlier keys of the host stay valid.

        Args:
            host_id: which host.
            user_id: who asks; told with the key's record.

        Raises:
            InvalidName: the host id is malformed.
        """
        check_host_id("host_id", host_id)
        key = make_key()
        record = KeyRecord(
            secret_sha256=key.sha256,
            scopes=[Scope.HOST],
            projects=[ALL_PROJECTS],
            user_id=user_id,
            display_name=f"trainer host {host_id}",
            host_id=host_id,
            create_time=timestamp(self._clock.now()),
        )
        await self._keys.create(key.key_id, record)
        return Enrolled(key.text, self._gateway_address, self._scheduler_address)
