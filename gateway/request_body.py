"""Tells a repeated CreateJob from another one under the same request_id, and names what differs."""

import hashlib
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_service_pb2 import CreateJobRequest

MAX_NAMED_FIELDS = 16


def body_digest(request: CreateJobRequest) -> str:
    """SHA-256 of what the caller asks for; the request_id and validate_only are not part of it."""
    running = hashlib.sha256(request.parent.encode())
    running.update(b"\0")
    running.update(request.job.spec.SerializeToString(deterministic=True))
    return running.hexdigest()


def differing_fields(before: JobSpec, after: JobSpec, prefix: str) -> list[str]:
    """Paths of the fields that differ, in the order of the proto; at most 16."""
    paths: list[str] = []
    for path in _differences(before, after, prefix):
        paths.append(path)
        if len(paths) == MAX_NAMED_FIELDS:
            break
    return paths


def _differences(before: Message, after: Message, path: str) -> Iterator[str]:
    mine, other = dict(before.ListFields()), dict(after.ListFields())
    for field in sorted(mine.keys() | other.keys(), key=lambda descriptor: descriptor.number):
        left, right = mine.get(field), other.get(field)
        if left == right:
            continue
        here = f"{path}.{field.name}"
        if _is_single_message(field) and isinstance(left, Message) and isinstance(right, Message):
            yield from _differences(left, right, here)
        else:
            yield here


def _is_single_message(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated
