"""docs/asyncapi.yaml: the table of events as an AsyncAPI 3.0 document, for tools and for generators of code."""

import yaml

from headway.contract.cloud_events import CONTENT_TYPE, Json
from headway.contract.event_catalogue import CATALOGUE, PARAMETERS, EventEntry
from headway.contract.event_schemas import Comments, data_schema, envelope_schema
from headway.contract.subjects import MAX_EVENT_BYTES, NO_LIMIT

_HEAD = """\
# Generated from headway/contract/event_catalogue.py and protos/headway/v1/events.proto by `make docs`. Do not edit.
"""
_ABOUT = """\
What headway tells on NATS, as CloudEvents in structured JSON mode. docs/events.md is the same for people: how to
connect, what is delivered how often and in which order, and what may change.
"""
_MESSAGE_ID = "Nats-Msg-Id"


def render(comments: Comments) -> str:
    """The document as YAML.

    Args:
        comments: of events.proto, by full name.
    """
    return _HEAD + yaml.safe_dump(document(comments), sort_keys=False, allow_unicode=True, width=120)


def document(comments: Comments) -> dict[str, Json]:
    """The document as data."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "headway events",
            "version": "1.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "local": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "nats-server on the machine of the control plane, unless it was given another address.",
            }
        },
        "channels": {key_of(entry): _channel(entry) for entry in CATALOGUE},
        "operations": {f"tell_{key_of(entry)}": _operation(entry) for entry in CATALOGUE},
        "components": {
            "messages": {key_of(entry): _message(entry) for entry in CATALOGUE},
            "schemas": {one.descriptor.name: data_schema(one.descriptor, comments) for one in CATALOGUE},
        },
    }


def key_of(entry: EventEntry) -> str:
    """What an event is called in the document: `trainer.train.queued.v1` is `train_queued_v1`."""
    return entry.event_type.removeprefix("trainer.").replace(".", "_")


def _channel(entry: EventEntry) -> dict[str, Json]:
    return {
        "address": entry.subject,
        "description": entry.meaning,
        "messages": {key_of(entry): {"$ref": f"#/components/messages/{key_of(entry)}"}},
        "parameters": {name: {"description": PARAMETERS[name]} for name in entry.parameters},
        "x-jetstream": _jetstream(entry),
    }


def _jetstream(entry: EventEntry) -> dict[str, Json]:
    """AsyncAPI's own binding for NATS knows nothing of streams."""
    stream = entry.stream
    most = stream.max_msgs_per_subject
    return {
        "stream": stream.name,
        "storage": stream.storage.value,
        "durable": entry.is_durable,
        "max_age_seconds": int(stream.max_age.total_seconds()),
        "newest_kept_per_subject": None if most == NO_LIMIT else most,
        "max_message_bytes": MAX_EVENT_BYTES,
        "published": entry.is_published,
    }


def _operation(entry: EventEntry) -> dict[str, Json]:
    channel = f"#/channels/{key_of(entry)}"
    return {
        "action": "send",
        "summary": entry.meaning,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{key_of(entry)}"}],
    }


def _message(entry: EventEntry) -> dict[str, Json]:
    reference: Json = {"$ref": f"#/components/schemas/{entry.descriptor.name}"}
    return {
        "name": entry.event_type,
        "title": entry.descriptor.name,
        "summary": entry.meaning,
        "contentType": CONTENT_TYPE,
        "headers": _headers(entry),
        "payload": envelope_schema(entry, reference),
    }


def _headers(entry: EventEntry) -> dict[str, Json]:
    properties: dict[str, Json] = {"Content-Type": {"const": CONTENT_TYPE}}
    if entry.is_durable:
        properties[_MESSAGE_ID] = {"type": "string", "description": "The same as `id`."}
    return {"type": "object", "required": list(properties), "properties": properties}
