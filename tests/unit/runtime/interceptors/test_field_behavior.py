"""The rules in the protos, held against messages made for this test and against our own."""

import time

import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message

from headway.contract.errors import FieldRequired, InvalidArgument, ReadOnlyField, UnknownEnumValue
from headway.runtime.interceptors.field_behavior import check_fields

_FILE = "headway/testing/field_behavior.proto"
_PACKAGE = "headway.testing.fields"
_Field = descriptor_pb2.FieldDescriptorProto


def _add(
    message: descriptor_pb2.DescriptorProto, name: str, kind: int, *behaviors: int, repeated: bool = False, of: str = ""
) -> None:
    field = message.field.add(
        name=name,
        number=len(message.field) + 1,
        type=kind,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
        type_name=f".{_PACKAGE}.{of}" if of else None,
    )
    for behavior in behaviors:
        # As text: the types of google.api do not say whose extension it is.
        text_format.Merge(f"[{field_behavior_pb2.field_behavior.full_name}]: {behavior}", field.options)


def _messages() -> dict[str, type[Message]]:
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    color = file.enum_type.add(name="Color")
    for number, name in enumerate(("COLOR_UNSPECIFIED", "COLOR_RED", "COLOR_BLUE")):
        color.value.add(name=name, number=number)
    inner = file.message_type.add(name="Inner")
    required, output = field_behavior_pb2.REQUIRED, field_behavior_pb2.OUTPUT_ONLY
    _add(inner, "name", _Field.TYPE_STRING, required)
    _add(inner, "state", _Field.TYPE_ENUM, output, of="Color")
    _add(inner, "child", _Field.TYPE_MESSAGE, of="Inner")
    node = file.message_type.add(name="Node")
    _add(node, "leaf", _Field.TYPE_MESSAGE, of="Leaf")
    _add(node, "name", _Field.TYPE_STRING, required)
    leaf = file.message_type.add(name="Leaf")
    _add(leaf, "node", _Field.TYPE_MESSAGE, of="Node")
    outer = file.message_type.add(name="Outer")
    _add(outer, "inner", _Field.TYPE_MESSAGE, required, of="Inner")
    _add(outer, "color", _Field.TYPE_ENUM, of="Color")
    _add(outer, "items", _Field.TYPE_MESSAGE, of="Inner", repeated=True)
    _add(outer, "colors", _Field.TYPE_ENUM, of="Color", repeated=True)
    _add(outer, "count", _Field.TYPE_INT32, required)
    _add(outer, "tags", _Field.TYPE_STRING, required, repeated=True)
    _add(outer, "create_time", _Field.TYPE_INT64, output)
    _add(outer, "choice", _Field.TYPE_ENUM, required, of="Color")
    entry = outer.nested_type.add(name="ByKeyEntry")
    entry.options.map_entry = True
    _add(entry, "key", _Field.TYPE_STRING)
    _add(entry, "value", _Field.TYPE_MESSAGE, of="Inner")
    _add(outer, "by_key", _Field.TYPE_MESSAGE, of="Outer.ByKeyEntry", repeated=True)
    try:
        pool.FindFileByName(_FILE)
    except KeyError:
        pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in ("Outer", "Inner", "Node", "Leaf")
    }


OUTER, INNER, NODE, LEAF = _messages().values()


def outer(**fields: object) -> Message:
    return OUTER(**{"inner": INNER(name="n"), "tags": ["t"], "choice": 1, **fields})


def faults(error: InvalidArgument) -> list[tuple[str, str]]:
    return [(violation.field, violation.reason) for violation in error.violations]


def test_a_good_request_passes() -> None:
    check_fields(outer(color=2, items=[INNER(name="a", child=INNER(name="b"))], colors=[1, 2]))


def test_every_missing_field_is_named_in_order() -> None:
    with pytest.raises(FieldRequired) as raised:
        check_fields(OUTER())
    assert faults(raised.value) == [
        ("inner", "FIELD_REQUIRED"),
        ("tags", "FIELD_REQUIRED"),
        ("choice", "FIELD_REQUIRED"),
    ]
    assert raised.value.message == "inner: is required"


def test_a_number_without_presence_is_not_missing() -> None:
    check_fields(outer(count=0))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"inner": INNER()}, "inner.name"),
        ({"inner": INNER(name="n", child=INNER(child=INNER(name="c")))}, "inner.child.name"),
        ({"items": [INNER(name="a"), INNER()]}, "items[1].name"),
        ({"by_key": {"k": INNER()}}, "by_key['k'].name"),
    ],
)
def test_a_missing_field_is_found_wherever_it_is(fields: dict[str, object], place: str) -> None:
    with pytest.raises(FieldRequired) as raised:
        check_fields(outer(**fields))
    assert faults(raised.value) == [(place, "FIELD_REQUIRED")]


def test_types_that_contain_each_other_are_checked_all_the_way() -> None:
    with pytest.raises(FieldRequired) as raised:
        check_fields(NODE(name="a", leaf=LEAF(node=NODE(name="b", leaf=LEAF(node=NODE())))))
    assert faults(raised.value) == [("leaf.node.leaf.node.name", "FIELD_REQUIRED")]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"create_time": 1}, "create_time"),
        ({"inner": INNER(name="n", state=1)}, "inner.state"),
        ({"items": [INNER(name="a", state=7)]}, "items[0].state"),
    ],
)
def test_a_field_that_only_the_server_writes_is_refused(fields: dict[str, object], place: str) -> None:
    with pytest.raises(ReadOnlyField) as raised:
        check_fields(outer(**fields))
    assert faults(raised.value) == [(place, "READ_ONLY_FIELD")]


@pytest.mark.parametrize(("fields", "place"), [({"color": 99}, "color"), ({"colors": [1, -1]}, "colors[1]")])
def test_an_unknown_enum_number_is_refused_with_the_list(fields: dict[str, object], place: str) -> None:
    with pytest.raises(UnknownEnumValue) as raised:
        check_fields(outer(**fields))
    (violation,) = raised.value.violations
    assert (violation.field, violation.allowed) == (place, "COLOR_RED, COLOR_BLUE")


def test_faults_of_all_kinds_are_told_together() -> None:
    with pytest.raises(FieldRequired) as raised:
        check_fields(outer(inner=INNER(state=1), color=99))
    assert sorted(faults(raised.value)) == [
        ("color", "UNKNOWN_ENUM_VALUE"),
        ("inner.name", "FIELD_REQUIRED"),
        ("inner.state", "READ_ONLY_FIELD"),
    ]


def test_unknown_fields_are_tolerated() -> None:
    # An older server reads a newer client's request.
    data = outer().SerializeToString() + b"\xf8\x07\x01"
    check_fields(OUTER.FromString(data))


def test_a_check_costs_microseconds() -> None:
    request = outer(items=[INNER(name="a") for _ in range(5)])
    check_fields(request)
    before = time.perf_counter()
    for _ in range(2000):
        check_fields(request)

    assert (time.perf_counter() - before) / 2000 < 0.0005
