"""The rules of Google's API Improvement Proposals that headway's protos keep and buf does not know.

Each rule takes all files and yields one sentence for each place that breaks it.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from google.api import annotations_pb2, field_behavior_pb2, resource_pb2
from google.api.http_pb2 import HttpRule
from google.api.resource_pb2 import ResourceDescriptor
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from tests.contract.proto_files import messages, methods

Files = list[FileDescriptor]
Rule = Callable[[Files], Iterator[str]]

TIMESTAMP = "google.protobuf.Timestamp"
DURATION = "google.protobuf.Duration"
STANDARD_VERBS = {"Get": "get", "List": "get", "Create": "post", "Update": "patch", "Delete": "delete"}
PREPOSITIONS = {"After", "At", "Before", "By", "For", "From", "In", "Of", "On", "To", "With"}
# Lists that fit on one page by nature have pages, but neither filter nor order.
SHORT_LISTS = {
    "ListHosts",  # a small team's hosts, and an operator wants to see them all
    "ListAttempts",  # what one host holds now
}
# Names that the outward documents fix: resource_spec and the started event are written by and for other programs.
FIXED_NAMES = {"ResourceSpec.gpu_count", "JobStartedEvent.memory_mb"}


def lists_have_pages_filter_and_order(files: Files) -> Iterator[str]:
    """AIP-132, 158, 160: from the first day, since a list without pages cannot grow them later."""
    pages = {"page_size": "int32", "page_token": "string"}
    choice = {"filter": "string", "order_by": "string"}
    for method in methods(files):
        if not _is_verb(method.name, "List"):
            continue
        for name, kind in (pages if method.name in SHORT_LISTS else pages | choice).items():
            yield from _has_field(method.input_type, name, kind)
        yield from _has_field(method.output_type, "next_page_token", "string")
        first = method.output_type.fields_by_number.get(1)
        if first is None or not first.is_repeated:
            yield f"{method.output_type.name}: field 1 should be the page, repeated"


def request_fields_say_their_behavior(files: Files) -> Iterator[str]:
    """AIP-203: each field of a request, and of every message inside one, is required, optional, or not for callers."""
    for message in _messages_in_requests(files):
        for field in message.fields:
            if not _behavior(field):
                yield f"{_name(field)}: needs google.api.field_behavior"


def times_and_durations_have_their_types(files: Files) -> Iterator[str]:
    """AIP-142: a time is a Timestamp named `*_time`; a Duration carries its own unit."""
    for message in messages(files):
        for field in message.fields:
            kind = _kind(field)
            if field.name.endswith("_time") and kind != TIMESTAMP:
                yield f"{_name(field)}: a *_time should be a Timestamp, and is {kind}"
            if kind == TIMESTAMP and not field.name.endswith(("_time", "_times")):
                yield f"{_name(field)}: a Timestamp should be named *_time"
            if kind == DURATION and field.name.endswith(("_seconds", "_ms", "_time")):
                yield f"{_name(field)}: a Duration needs no unit in its name, and is no time"


def quantities_are_named_by_unit(files: Files) -> Iterator[str]:
    """STYLE of this project, after AIP-141: counts begin with num_, or are named for what they total."""
    for message in messages(files):
        for field in message.fields:
            if _name(field) in FIXED_NAMES:
                continue
            if field.name.endswith(("_count", "_cnt")) or field.name == "count":
                yield f"{_name(field)}: a count should begin with num_"
            if re.search(r"_(ms|millis|sec|secs|mb|gb|kb)$", field.name):
                yield f"{_name(field)}: spell the unit out (_seconds, _bytes, _mib), or use a Duration"


def methods_have_http_annotations(files: Files) -> Iterator[str]:
    """AIP-127: unary and server-streaming methods have one, others cannot."""
    for method in methods(files):
        rule = _http(method)
        if method.client_streaming and rule is not None:
            yield f"{method.name}: HTTP cannot carry a client stream"
        if not method.client_streaming and rule is None:
            yield f"{method.name}: needs google.api.http"


def http_annotations_fit_their_methods(files: Files) -> Iterator[str]:
    """AIP-131 to 136: the verb of each standard method, `:verb` for the others, and variables that are fields."""
    for method in methods(files):
        rule = _http(method)
        if rule is None:
            continue
        verb = rule.WhichOneof("pattern") or "none"
        path = {"get": rule.get, "post": rule.post, "patch": rule.patch, "delete": rule.delete}.get(verb, "")
        standard = next((wanted for prefix, wanted in STANDARD_VERBS.items() if _is_verb(method.name, prefix)), None)
        if standard is not None and verb != standard:
            yield f"{method.name}: should be {standard.upper()}, and is {verb.upper()}"
        if verb in {"get", "delete"} and rule.body:
            yield f"{method.name}: a {verb.upper()} has no body"
        if verb in {"post", "patch"} and not rule.body:
            yield f"{method.name}: a {verb.upper()} needs a body"
        if not path.startswith("/v1/"):
            yield f"{method.name}: the path {path} should begin with /v1/"
        for variable in re.findall(r"{([a-z_]+)[.=}]", path):
            if variable not in method.input_type.fields_by_name:
                yield f"{method.name}: {variable} in the path is no field of {method.input_type.name}"


def methods_are_verb_and_noun(files: Files) -> Iterator[str]:
    """AIP-136: no prepositions, and not a bare verb, but for the one exchange that DESIGN names Synchronize."""
    for method in methods(files):
        words = re.findall(r"[A-Z][a-z0-9]*", method.name)
        if PREPOSITIONS & set(words):
            yield f"{method.name}: no prepositions in the name of a method"
        if len(words) < 2 and method.name not in {"Synchronize", "Predict", "Generate", "Explain"}:
            yield f"{method.name}: should be a verb and a noun"


def resources_have_names(files: Files) -> Iterator[str]:
    """AIP-122, 123: `string name = 1` with IDENTIFIER, a type of ours, and a pattern."""
    for message in messages(files):
        resource = _resource(message)
        if resource is None:
            continue
        if resource.type != f"headway.dev/{message.name}":
            yield f"{message.name}: its resource type should be headway.dev/{message.name}"
        if not resource.pattern:
            yield f"{message.name}: needs a resource pattern"
        first = message.fields_by_number.get(1)
        if first is None or first.name != "name" or _kind(first) != "string":
            yield f"{message.name}: field 1 should be `string name`"
        elif field_behavior_pb2.IDENTIFIER not in _behavior(first):
            yield f"{message.name}.name: should be IDENTIFIER"


def states_belong_to_the_services(files: Files) -> Iterator[str]:
    """AIP-216: a state is OUTPUT_ONLY, and is called state."""
    for message in messages(files):
        if _resource(message) is None:
            continue
        for field in message.fields:
            if field.name == "state" and field_behavior_pb2.OUTPUT_ONLY not in _behavior(field):
                yield f"{_name(field)}: a state should be OUTPUT_ONLY"
            if field.name == "status" or field.name.endswith("_status"):
                yield f"{_name(field)}: should be called state; status is gRPC's"


def addressed_resources_are_required(files: Files) -> Iterator[str]:
    """AIP-131, 132, 135: `name` and `parent` of a request are required strings."""
    for method in methods(files):
        for name in ("name", "parent"):
            field = method.input_type.fields_by_name.get(name)
            if field is None:
                continue
            if _kind(field) != "string" or field_behavior_pb2.REQUIRED not in _behavior(field):
                yield f"{_name(field)}: should be a REQUIRED string"


RULES = (
    lists_have_pages_filter_and_order,
    request_fields_say_their_behavior,
    times_and_durations_have_their_types,
    quantities_are_named_by_unit,
    methods_have_http_annotations,
    http_annotations_fit_their_methods,
    methods_are_verb_and_noun,
    resources_have_names,
    states_belong_to_the_services,
    addressed_resources_are_required,
)


def _messages_in_requests(files: Files) -> Iterator[Descriptor]:
    ours = {message.full_name for message in messages(files)}
    waiting = [method.input_type for method in methods(files)]
    seen: set[str] = set()
    while waiting:
        message = waiting.pop(0)
        if message.full_name in ours and message.full_name not in seen:
            seen.add(message.full_name)
            yield message
            waiting.extend(field.message_type for field in message.fields if field.message_type is not None)


def _has_field(message: Descriptor, name: str, kind: str) -> Iterator[str]:
    field = message.fields_by_name.get(name)
    if field is None or _kind(field) != kind:
        yield f"{message.name}: needs `{kind} {name}`"


def _http(method: MethodDescriptor) -> HttpRule | None:
    rule = _extension(method.GetOptions(), annotations_pb2.http)
    return rule if isinstance(rule, HttpRule) else None


def _resource(message: Descriptor) -> ResourceDescriptor | None:
    resource = _extension(message.GetOptions(), resource_pb2.resource)
    return resource if isinstance(resource, ResourceDescriptor) else None


def _behavior(field: FieldDescriptor) -> list[object]:
    behavior = _extension(field.GetOptions(), field_behavior_pb2.field_behavior)
    return list(behavior) if isinstance(behavior, Iterable) else []


def _extension(options: Message, wanted: FieldDescriptor) -> object:
    """The value of an option, or None. The types of google.api forbid `options.Extensions[wanted]`."""
    return next((value for field, value in options.ListFields() if field.full_name == wanted.full_name), None)


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return field.message_type.full_name
    names = {
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
    }
    return names.get(field.type, f"type {field.type}")


def _is_verb(method: str, verb: str) -> bool:
    return re.match(rf"{verb}[A-Z]", method) is not None


def _name(field: FieldDescriptor) -> str:
    return field.full_name.removeprefix("headway.v1.")
