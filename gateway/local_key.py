"""The one key of this machine: a file that only its owner can read, with every right on every project."""

import os
from pathlib import Path

from headway.contract.access import ALL_PROJECTS, Scope
from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.runtime.keys import digest, make_key, parse, read_key_file, write_key_file
from headway.runtime.records import Records
from headway.v1.records_pb2 import KeyRecord

LOCAL_USER = "local"
KEY_VARIABLE = "HEADWAY_API_KEY"


def local_key_path(home: Path) -> Path:
    """Where the local key is."""
    return home / "keys" / "local.key"


def ensure_local_key(home: Path) -> str:
    """The local key; made when there is none.

    Raises:
        InvalidKey: the file is readable by others or holds something else.
    """
    path = local_key_path(home)
    if not path.exists():
        write_key_file(path, make_key().text)
    return read_key_file(path)


def own_key(local_key: str) -> str:
    """The key that the gateway shows to other services: the environment's, or the local one."""
    return os.environ.get(KEY_VARIABLE) or local_key


async def admit_local_key(records: Records[KeyRecord], key: str, clock: Clock) -> None:
    """Make the local key valid, with every scope and every project. Nothing is written when it is already."""
    key_id = parse(key)
    stored = await records.find(key_id)
    if stored is not None and stored.value.secret_sha256 == digest(key) and not stored.value.HasField("revoke_time"):
        return
    record = KeyRecord(
        secret_sha256=digest(key),
        scopes=[scope.value for scope in Scope],
        projects=[ALL_PROJECTS],
        user_id=LOCAL_USER,
        display_name="the local key of this machine",
        create_time=timestamp(clock.now()),
    )
    await records.put(key_id, record)
