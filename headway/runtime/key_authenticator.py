"""Looks keys up in the bucket `keys`, and remembers the answers for a few seconds.

A revoked key is therefore refused at most `cache_seconds` and a second later. What is remembered is bounded; unknown
keys are remembered too, so that a flood of them does not reach the store.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from headway.contract.errors import InvalidKey, MissingKey
from headway.runtime.clock import Clock
from headway.runtime.keys import INVALID_KEY_MESSAGE, MAX_KEY_CHARACTERS, digest, parse
from headway.runtime.principal import Principal
from headway.runtime.records import Records
from headway.v1.records_pb2 import KeyRecord

_MAX_REMEMBERED = 4096
_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Answer:
    principal: Principal | None
    expire_time: datetime | None
    until_seconds: float


class KeyAuthenticator:
    """The authenticator of every service that callers reach."""

    def __init__(self, records: Records[KeyRecord], clock: Clock, *, cache_seconds: float = 5.0) -> None:
        """Remember answers.

        Args:
            records: the bucket `keys`.
            clock: for expiry and for forgetting.
            cache_seconds: how long a revoked key may still work; 0 asks the store for every call.
        """
        self._records = records
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()

    async def authenticate(self, key: str | None) -> Principal:
        """The caller that the key stands for; see `Authenticator`."""
        if key is None:
            raise MissingKey("The call carries no key; send it as metadata `x-api-key`.")
        if len(key) > MAX_KEY_CHARACTERS:
            raise InvalidKey(INVALID_KEY_MESSAGE)
        fingerprint = digest(key)
        answer = self._answers.get(fingerprint)
        if answer is None or answer.until_seconds <= self._clock.monotonic():
            if answer is not None:
                # One call asks; those beside it go on with the old answer, instead of all asking at once.
                self._answers[fingerprint] = replace(answer, until_seconds=self._clock.monotonic() + _GRACE_SECONDS)
            answer = await self._ask(key, fingerprint)
        is_expired = answer.expire_time is not None and answer.expire_time <= self._clock.now()
        if answer.principal is None or is_expired:
            raise InvalidKey(INVALID_KEY_MESSAGE)
        return answer.principal

    async def _ask(self, key: str, fingerprint: bytes) -> _Answer:
        key_id = parse(key)
        until = self._clock.monotonic() + self._cache_seconds
        stored = await self._records.find(key_id)
        answer = _Answer(None, None, until)
        if stored is not None and _is_valid(stored.value, fingerprint):
            answer = _Answer(_principal(key_id, stored.value), _expire_time(stored.value), until)
        self._answers[fingerprint] = answer
        self._answers.move_to_end(fingerprint)
        if len(self._answers) > _MAX_REMEMBERED:
            self._answers.popitem(last=False)
        return answer


def _is_valid(record: KeyRecord, fingerprint: bytes) -> bool:
    return hmac.compare_digest(record.secret_sha256, fingerprint) and not record.HasField("revoke_time")


def _expire_time(record: KeyRecord) -> datetime | None:
    return record.expire_time.ToDatetime(tzinfo=UTC) if record.HasField("expire_time") else None


def _principal(key_id: str, record: KeyRecord) -> Principal:
    return Principal(
        key_id=key_id,
        user_id=record.user_id,
        scopes=frozenset(record.scopes),
        projects=frozenset(record.projects),
        host_id=record.host_id,
    )
