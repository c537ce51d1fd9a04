"""Nodes to a message, by the message's own description: every fault is found, not only the first."""

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from headway.cli.jobfile.faults import Fault, nearest
from headway.cli.jobfile.scalars import NotThatType, convert, duration, timestamp
from headway.cli.jobfile.tree import Fields, Items, Node, Scalar, ScalarKind, describe


def fill(message: Message, node: Fields, path: str = "") -> list[Fault]:
    """Set the fields of a message from a file's named values.

    Args:
        message: gets what is right; fields with a fault stay as they were.
        node: what the file says.
        path: dotted path of the message in the file; empty for the root.

    Returns:
        The faults, in the order of the file; empty when all is well.
    """
    descriptor = descriptor_pool.Default().FindMessageTypeByName(message.DESCRIPTOR.full_name)
    faults: list[Fault] = []
    for name, child in node.fields.items():
        line = node.lines.get(name) or child.line
        field = descriptor.fields_by_name.get(name)
        if field is None:
            faults.append(unknown_field(name, descriptor, path, line))
        elif not (isinstance(child, Scalar) and child.kind == ScalarKind.EMPTY):
            faults += _set(message, field, child, f"{path}.{name}" if path else name, line)
    return faults + _check_one_of_each(descriptor, node, path)


def unknown_field(name: str, descriptor: Descriptor, path: str, line: int, also: tuple[str, ...] = ()) -> Fault:
    """The fault for a name that is no field, with the one that was probably meant."""
    known = [*also, *(field.name for field in descriptor.fields)]
    where = f"{path}.{name}" if path else name
    meant = nearest(name, known)
    return Fault(where, line, f"there is no field {name!r} here", "" if meant else ", ".join(known), meant)


def _set(message: Message, field: FieldDescriptor, node: Node, path: str, line: int) -> list[Fault]:
    try:
        if field.is_repeated:
            return _set_repeated(message, field, node, path, line)
        if field.message_type is not None:
            return _set_message(getattr(message, field.name), node, path)
        setattr(message, field.name, convert(_single(node), field))
    except NotThatType as error:
        return [Fault(path, line, error.message, error.allowed, error.suggested)]
    return []


def _set_message(target: Message, node: Node, path: str) -> list[Fault]:
    if isinstance(target, Struct):
        if not isinstance(node, Fields):
            raise NotThatType(f"named fields are wanted here, not {describe(node)}")
        target.CopyFrom(_struct(node))
    elif isinstance(target, Duration) and isinstance(node, Scalar):
        target.FromTimedelta(duration(node))
    elif isinstance(target, Timestamp) and isinstance(node, Scalar):
        target.FromDatetime(timestamp(node))
    elif isinstance(node, Fields):
        # An empty block says which kind it is, so it counts as set.
        target.SetInParent()
        return fill(target, node, path)
    else:
        raise NotThatType(f"named fields are wanted here, not {describe(node)}")
    return []


def _set_repeated(message: Message, field: FieldDescriptor, node: Node, path: str, line: int) -> list[Fault]:
    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _set_map(target, field, node, path)
    faults: list[Fault] = []
    # A single value is taken for a list of one, as the columns of a tabular job may be written.
    for index, item in enumerate(node.items if isinstance(node, Items) else [node]):
        where = f"{path}[{index}]"
        if field.message_type is not None:
            faults += _set_message(target.add(), item, where)
        else:
            faults += _append(target, field, item, where, item.line or line)
    return faults


def _append(target: list[object], field: FieldDescriptor, item: Node, path: str, line: int) -> list[Fault]:
    try:
        target.append(convert(_single(item), field))
    except NotThatType as error:
        return [Fault(path, line, error.message, error.allowed, error.suggested)]
    return []


def _single(node: Node) -> Scalar:
    if isinstance(node, Scalar):
        return node
    raise NotThatType(f"one value is wanted here, not {describe(node)}")


def _set_map(target: dict[str, object], field: FieldDescriptor, node: Node, path: str) -> list[Fault]:
    if not isinstance(node, Fields) or field.message_type is None:
        raise NotThatType(f"named values are wanted here, not {describe(node)}")
    value_field = field.message_type.fields_by_name["value"]
    faults: list[Fault] = []
    for name, item in node.fields.items():
        line = node.lines.get(name) or item.line
        try:
            target[name] = convert(_single(item), value_field)
        except NotThatType as error:
            faults.append(Fault(f"{path}.{name}", line, error.message, error.allowed, error.suggested))
    return faults


def _check_one_of_each(descriptor: Descriptor, node: Fields, path: str) -> list[Fault]:
    faults: list[Fault] = []
    for one_of in descriptor.oneofs:
        given = [field.name for field in one_of.fields if field.name in node.fields]
        if len(given) > 1:
            message = f"only one of {', '.join(given)} may be given"
            faults.append(Fault(path, node.lines.get(given[1]) or node.line, message))
    return faults


def _struct(node: Fields) -> Struct:
    struct = Struct()
    for name, child in node.fields.items():
        struct.fields[name].CopyFrom(_value(child))
    return struct


def _value(node: Node) -> Value:
    match node:
        case Fields():
            return Value(struct_value=_struct(node))
        case Items(items=items):
            value = Value()
            value.list_value.values.extend(_value(item) for item in items)
            return value
        case Scalar(kind=ScalarKind.TRUTH, text=text):
            return Value(bool_value=text.lower() in {"true", "yes", "on"})
        case Scalar(kind=ScalarKind.WHOLE | ScalarKind.REAL, text=text):
            return Value(number_value=float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan")))
        case Scalar(kind=ScalarKind.EMPTY):
            return Value(null_value=NULL_VALUE)
        case Scalar(text=text):
            return Value(string_value=text)
