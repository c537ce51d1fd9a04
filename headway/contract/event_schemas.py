"""JSON Schemas of events, from the descriptors of their data: what `MessageToDict` writes, seen from the reader."""

from collections.abc import Mapping
from typing import TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from headway.contract.cloud_events import DATA_CONTENT_TYPE, SOURCE, SPEC_VERSION, Json
from headway.contract.event_catalogue import EventEntry

Comments: TypeAlias = Mapping[str, str]
"""The comment of a message or field by its full name, such as `headway.v1.JobQueuedEvent.reason`."""

ALWAYS_THERE_BELOW = 10
"""Fields with a smaller number are in every event of v1; others may be missing from those of an older headway.

Except a time that is not known, in a message within a message: it is left out.
"""

_TIMESTAMP = "google.protobuf.Timestamp"
_NOT_FINITE: list[Json] = ["NaN", "Infinity", "-Infinity"]


def envelope_schema(entry: EventEntry, data: Json) -> dict[str, Json]:
    """The whole message: a CloudEvent of the entry's type.

    Args:
        entry: of the catalogue.
        data: schema of its data, or a reference to it.
    """
    properties: dict[str, Json] = {
        "specversion": {"const": SPEC_VERSION, "description": "Version of CloudEvents."},
        "id": {"type": "string", "minLength": 1, "description": f"The same for the same event: {entry.id_form}."},
        "source": {"const": SOURCE, "description": "Who tells it."},
        "type": {"const": entry.event_type, "description": "What happened, with the version of the data."},
        "subject": {"type": "string", "description": "Resource name of what it is about."},
        "time": {"type": "string", "format": "date-time", "description": "When it happened: RFC 3339, UTC."},
        "datacontenttype": {"const": DATA_CONTENT_TYPE, "description": "What `data` is."},
        "data": data,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def data_schema(message: Descriptor, comments: Comments) -> dict[str, Json]:
    """The proto3 JSON of a message. Further fields are allowed: later versions add some."""
    always = (field for field in message.fields if field.number < ALWAYS_THERE_BELOW and not field.has_presence)
    required: list[Json] = [field.name for field in always]
    properties: dict[str, Json] = {field.name: field_schema(field, comments) for field in message.fields}
    description = comments.get(message.full_name, "")
    return {"type": "object", "description": description, "required": required, "properties": properties}


def field_schema(field: FieldDescriptor, comments: Comments) -> dict[str, Json]:
    """One field, with its comment."""
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        values = _single(inner.fields_by_name["value"], comments)
        schema: dict[str, Json] = {"type": "object", "additionalProperties": values}
    elif field.is_repeated:
        schema = {"type": "array", "items": _single(field, comments)}
    else:
        schema = _single(field, comments)
    comment = comments.get(field.full_name, "")
    return {**schema, "description": comment} if comment else schema


def _single(field: FieldDescriptor, comments: Comments) -> dict[str, Json]:
    if (inner := field.message_type) is not None:
        is_time = inner.full_name == _TIMESTAMP
        return {"type": "string", "format": "date-time"} if is_time else data_schema(inner, comments)
    match field.type:
        case FieldDescriptor.TYPE_INT32:
            return {"type": "integer", "format": "int32"}
        case FieldDescriptor.TYPE_INT64:
            return {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"}
        case FieldDescriptor.TYPE_DOUBLE:
            return {"oneOf": [{"type": "number"}, {"type": "string", "enum": _NOT_FINITE}]}
        case FieldDescriptor.TYPE_STRING:
            return {"type": "string"}
        case _:
            raise ValueError(f"{field.full_name} has a type that no event has had so far: say here how JSON writes it")


def encoding_of(field: FieldDescriptor) -> str:
    """How a field is written, in words for a table."""
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return f"object of {_WORDS[inner.fields_by_name['value'].type]} by name"
    word = "time" if inner is not None and inner.full_name == _TIMESTAMP else _WORDS[field.type]
    return f"array of {word}" if field.is_repeated else word


_WORDS: Mapping[int, str] = {
    FieldDescriptor.TYPE_INT32: "integer",
    FieldDescriptor.TYPE_INT64: "integer in a string",
    FieldDescriptor.TYPE_DOUBLE: "number",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_MESSAGE: "object",
}
