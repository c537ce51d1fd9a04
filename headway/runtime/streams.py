"""Applies the table of buckets and streams to a server: get, compare, create or update."""

import math
from collections.abc import Mapping
from datetime import timedelta

from headway.contract.errors import DiskFull
from headway.contract.limits import GIB
from headway.contract.subjects import BUCKETS, STREAMS, BucketSpec, Storage, StreamSpec
from headway.runtime.jetstream import NO_ROOM, STREAM_NAME_IN_USE, JetStreamError, Json, StreamReply
from headway.runtime.logs import get_logger
from headway.runtime.nats_requests import NatsRequests

_log = get_logger(__name__)
MIN_FILE_STORE_BYTES = sum(spec.max_bytes for spec in (*BUCKETS, *STREAMS) if spec.storage is Storage.FILE)
"""What the streams reserve of the server's store on disk."""
_FIXED = frozenset({"storage", "retention"})  # The server refuses to change these; deleting data is not ours to do.


async def provision_stream(requests: NatsRequests, spec: BucketSpec | StreamSpec) -> bool:
    """Make one stream as its row says.

    Returns:
        Whether it was created by this call; False when it existed, updated or not.

    Raises:
        JetStreamError: the server refuses the configuration.
    """
    wanted = bucket_config(spec) if isinstance(spec, BucketSpec) else stream_config(spec)
    info = await requests.stream_info(spec.stream_name)
    if info is None:
        return await _create(requests, spec.stream_name, wanted)
    differing = {name for name, value in wanted.items() if info.config.get(name, _absent(value)) != value}
    if differing - _FIXED:
        kept = {name: info.config.get(name) for name in _FIXED}
        await requests.call(f"STREAM.UPDATE.{spec.stream_name}", {**wanted, **_json(kept)}, StreamReply)
        _log.info("stream updated", stream=spec.stream_name, changed=sorted(differing))
    return False


async def _create(requests: NatsRequests, name: str, wanted: Mapping[str, Json]) -> bool:
    try:
        await requests.call(f"STREAM.CREATE.{name}", wanted, StreamReply)
    except JetStreamError as error:
        if error.err_code in NO_ROOM:
            raise DiskFull(
                f"nats-server has no room for the stream {name}, which reserves all that it may ever take: raise "
                f"max_file_store of its configuration to at least {math.ceil(MIN_FILE_STORE_BYTES / GIB)}GB, or "
                "max_memory_store if the stream is in memory, and restart it"
            ) from error
        if error.err_code != STREAM_NAME_IN_USE:
            raise
        return False  # Another service was faster, with another version of the row.
    _log.info("stream created", stream=name)
    return True


def bucket_config(spec: BucketSpec) -> dict[str, Json]:
    """A bucket as JetStream wants it: history 1, no silent dropping, markers for expired entries.

    Reads go to the leader (no allow_direct), so that a read sees every acknowledged write.
    """
    return {
        **_common(spec.stream_name, spec.description, spec.storage, spec.subjects),
        "discard": "new",
        "max_age": 0,
        "max_bytes": spec.max_bytes,
        "max_msgs_per_subject": 1,
        "max_msg_size": spec.max_value_bytes,
        "duplicate_window": _nanoseconds(timedelta(minutes=2)),
        "allow_rollup_hdrs": True,
        "allow_msg_ttl": True,
        "deny_delete": True,
        "subject_delete_marker_ttl": _nanoseconds(spec.marker_ttl),
    }


def stream_config(spec: StreamSpec) -> dict[str, Json]:
    """A stream as JetStream wants it: the oldest messages make room."""
    return {
        **_common(spec.stream_name, spec.description, spec.storage, spec.subjects),
        "discard": "old",
        "max_age": _nanoseconds(spec.max_age),
        "max_bytes": spec.max_bytes,
        "max_msgs_per_subject": spec.max_msgs_per_subject,
        "max_msg_size": spec.max_message_bytes,
        "duplicate_window": _nanoseconds(min(spec.duplicate_window, spec.max_age)),
        "allow_msg_ttl": True,
    }


def _common(name: str, description: str, storage: Storage, subjects: tuple[str, ...]) -> dict[str, Json]:
    return {
        "name": name,
        "description": description,
        "subjects": list(subjects),
        "storage": storage.value,
        "retention": "limits",
        "max_consumers": -1,
        "max_msgs": -1,
    }


def _nanoseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1_000_000_000)


def _absent(value: Json) -> Json:
    """What a missing field of the server's answer means: its empty value."""
    return type(value)() if isinstance(value, (bool, int, str)) else None


def _json(values: Mapping[str, object]) -> dict[str, Json]:
    return {name: value for name, value in values.items() if isinstance(value, str)}
