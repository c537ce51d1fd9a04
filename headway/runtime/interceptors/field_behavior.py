"""Checks a request against what its proto says of each field: required, written by the server only, known enum values.

The rules are read from the descriptors once a message type; a check then touches only the fields that have one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from headway.contract.errors import FieldRequired, InvalidArgument, ReadOnlyField, UnknownEnumValue, Violation


class _Rule(Enum):
    REQUIRED = 1
    READ_ONLY = 2
    ENUM = 3


_ERRORS: dict[_Rule, type[InvalidArgument]] = {
    _Rule.REQUIRED: FieldRequired,
    _Rule.READ_ONLY: ReadOnlyField,
    _Rule.ENUM: UnknownEnumValue,
}
_Found = tuple[_Rule, Violation]
_WELL_KNOWN = "google.protobuf."


@dataclass(slots=True)
class _Checks:
    """What is checked in one message type."""

    required: list[FieldDescriptor] = field(default_factory=list)
    read_only: set[int] = field(default_factory=set)
    enums: set[int] = field(default_factory=set)
    nested: dict[int, "_Checks"] = field(default_factory=dict)
    is_complete: bool = True

    @property
    def holds_checks(self) -> bool:
        return bool(self.required or self.read_only or self.enums or self.nested)


_compiled: dict[str, _Checks] = {}


def check_fields(request: Message) -> None:
    """Check a whole request.

    Raises:
        FieldRequired: a required field is absent.
        ReadOnlyField: a field that only the server writes is set.
        UnknownEnumValue: an enum carries a number that this server does not know.
            Whichever it is, the error lists the faults of all three kinds, in the order of the fields.
    """
    name = request.DESCRIPTOR.full_name
    checks = _compiled.get(name) or _compile(descriptor_pool.Default().FindMessageTypeByName(name))
    found: list[_Found] = []
    _collect(request, checks, "", found)
    if not found:
        return
    first = min((rule for rule, _ in found), key=lambda rule: rule.value)
    violations = [violation for _, violation in found]
    leading = next(violation for rule, violation in found if rule is first)
    raise _ERRORS[first](f"{leading.field}: {leading.message}", violations=violations)


def _compile(descriptor: Descriptor) -> _Checks:
    """The checks of a message type and of all types below it; types may contain themselves."""
    if descriptor.full_name in _compiled:
        return _compiled[descriptor.full_name]
    checks = _compiled[descriptor.full_name] = _Checks(is_complete=False)
    for one in descriptor.fields:
        behaviors = _behaviors(one)
        if field_behavior_pb2.REQUIRED in behaviors and _absence_is_visible(one):
            checks.required.append(one)
        if field_behavior_pb2.OUTPUT_ONLY in behaviors:
            checks.read_only.add(one.number)
        elif one.enum_type is not None:
            checks.enums.add(one.number)
        elif (inner := _inner_type(one)) is not None and not inner.full_name.startswith(_WELL_KNOWN):
            below = _compile(inner)
            # Of a type that is being compiled further up it is not known yet whether it holds checks.
            if below.holds_checks or not below.is_complete:
                checks.nested[one.number] = below
    checks.is_complete = True
    return checks


def _is_map(one: FieldDescriptor) -> bool:
    return one.message_type is not None and one.message_type.GetOptions().map_entry


def _inner_type(one: FieldDescriptor) -> Descriptor | None:
    """The message type that a field holds; of a map, the one of its values."""
    if one.message_type is not None and _is_map(one):
        return one.message_type.fields_by_name["value"].message_type
    return one.message_type


def _behaviors(one: FieldDescriptor) -> Collection[int]:
    for extension, values in one.GetOptions().ListFields():
        if extension.full_name == "google.api.field_behavior":
            return frozenset(values)
    return frozenset()


def _absence_is_visible(one: FieldDescriptor) -> bool:
    """Numbers and truth values without presence: absent and zero look the same; their bounds are checked elsewhere."""
    if one.is_repeated or one.has_presence:
        return True
    return one.cpp_type in {FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_ENUM}


def _collect(message: Message, checks: _Checks, path: str, found: list[_Found]) -> None:
    # Requests set few of their fields: one call lists those, where asking for each takes many.
    set_fields = message.ListFields()
    if checks.required:
        given = {one.number for one, value in set_fields if value != ""}
        found += (
            (_Rule.REQUIRED, Violation(path + one.name, "FIELD_REQUIRED", "is required"))
            for one in checks.required
            if one.number not in given
        )
    for one, value in set_fields:
        if one.number in checks.read_only:
            violation = Violation(path + one.name, "READ_ONLY_FIELD", "is written by the server only")
            found.append((_Rule.READ_ONLY, violation))
        elif one.number in checks.enums:
            found += _enum_faults(one, value, path)
        elif (below := checks.nested.get(one.number)) is not None:
            for place, inner in _submessages(one, value, path):
                _collect(inner, below, place, found)


def _enum_faults(one: FieldDescriptor, value: int | Sequence[int], path: str) -> Iterator[_Found]:
    if isinstance(value, int):
        yield from _enum_fault(one.enum_type, value, path + one.name)
        return
    for at, number in enumerate(value):
        yield from _enum_fault(one.enum_type, number, f"{path}{one.name}[{at}]")


def _enum_fault(enum: EnumDescriptor | None, number: int, place: str) -> Iterator[_Found]:
    if enum is None or number in enum.values_by_number:
        return
    allowed = ", ".join(value.name for value in enum.values if value.number != 0)
    yield _Rule.ENUM, Violation(place, "UNKNOWN_ENUM_VALUE", f"{number} is not a value of {enum.name}", allowed)


def _submessages(
    one: FieldDescriptor, value: Message | Sequence[Message] | Mapping[object, Message], path: str
) -> Iterable[tuple[str, Message]]:
    if isinstance(value, Message):
        return ((f"{path}{one.name}.", value),)
    if isinstance(value, Mapping):
        return ((f"{path}{one.name}[{key!r}].", inner) for key, inner in value.items())
    return ((f"{path}{one.name}[{at}].", inner) for at, inner in enumerate(value))
