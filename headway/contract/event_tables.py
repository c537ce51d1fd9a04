"""The tables of docs/events.md, written between the markers that the page has for them."""

import re

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from headway.contract.event_catalogue import CATALOGUE, LIFE_DATA, EventEntry
from headway.contract.event_schemas import Comments, encoding_of
from headway.contract.subjects import NO_LIMIT, STREAMS, StreamSpec

_MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def fill_in(page: str, comments: Comments) -> str:
    """The page with every generated part as it should be.

    Args:
        page: with markers, and anything between them.
        comments: of events.proto, by full name.

    Raises:
        KeyError: a marker names no table.
    """
    tables = {
        "events": events_table(),
        "streams": streams_table(),
        "common": _fields_table(_common_fields(), comments),
        "data": data_tables(comments),
    }
    return _MARKED.sub(lambda found: f"{found[1]}\n{tables[found[2]]}\n{found[3]}", page)


def events_table() -> str:
    """One row an event."""
    rows = ["| type | when | data | id |", "|---|---|---|---|"]
    for entry in CATALOGUE:
        meaning = entry.meaning if entry.is_published else f"{entry.meaning} *Reserved: not published yet.*"
        rows.append(f"| `{entry.event_type}` | {meaning} | {_link(entry)} | `{entry.id_form}` |")
    return "\n".join(rows) + "\n"


def streams_table() -> str:
    """One row a stream."""
    rows = ["| stream | subjects | kept | delivery |", "|---|---|---|---|"]
    rows += [f"| `{one.name}` | {_subjects(one)} | {_kept(one)} | {_delivery(one)} |" for one in STREAMS]
    return "\n".join(rows) + "\n"


def data_tables(comments: Comments) -> str:
    """One table a message, with the fields that are its own."""
    common = {field.name for field in _common_fields()}
    parts: dict[str, str] = {}
    for entry in CATALOGUE:
        descriptor = entry.descriptor
        is_of_job = common <= set(descriptor.fields_by_name)
        own = [field for field in descriptor.fields if not (is_of_job and field.name in common)]
        parts[descriptor.name] = _part(descriptor, own, comments, is_of_job=is_of_job)
        for field in own:
            inner = field.message_type
            if inner is not None and not inner.GetOptions().map_entry:
                parts[inner.name] = _part(inner, list(inner.fields), comments, is_of_job=False)
    return "\n".join(parts.values())


def _part(descriptor: Descriptor, own: list[FieldDescriptor], comments: Comments, *, is_of_job: bool) -> str:
    about = " ".join(comments[descriptor.full_name].split())
    beside = " Beside the fields that every event of a job has:" if is_of_job else ""
    return f"### {descriptor.name}\n\n{about}{beside}\n\n{_fields_table(own, comments)}"


def _fields_table(fields: list[FieldDescriptor], comments: Comments) -> str:
    rows = ["| field | JSON | meaning |", "|---|---|---|"]
    rows += [
        f"| `{field.name}` | {encoding_of(field)} | {' '.join(comments[field.full_name].split())} |" for field in fields
    ]
    return "\n".join(rows) + "\n"


def _common_fields() -> list[FieldDescriptor]:
    """What every event in the life of a job says, in the words of the first."""
    lives = [entry.descriptor for entry in CATALOGUE if entry.data in LIFE_DATA.values()]
    shared = set.intersection(*({field.name for field in life.fields} for life in lives))
    return [field for field in lives[0].fields if field.name in shared]


def _link(entry: EventEntry) -> str:
    name = entry.descriptor.name
    return f"[{name}](#{name.lower()})"


def _subjects(stream: StreamSpec) -> str:
    patterns = {f"{_family(entry)}" for entry in CATALOGUE if entry.stream is stream}
    return ", ".join(f"`{pattern}`" for pattern in sorted(patterns))


def _family(entry: EventEntry) -> str:
    """Subjects that differ in the event's name only, as one."""
    family, _, rest = entry.subject.removeprefix("trainer.").partition(".")
    has_names = family in {"train", "model", "host"} and entry.is_durable
    return f"trainer.{family}.{{event}}.{rest.partition('.')[2]}" if has_names else entry.subject


def _kept(stream: StreamSpec) -> str:
    hours = int(stream.max_age.total_seconds() // 3600)
    age = f"{hours // 24} days" if hours > 24 else f"{hours} hours"
    most = stream.max_msgs_per_subject
    newest = "" if most == NO_LIMIT else f", the newest {most} of a subject"
    return f"{age}{newest}, at most {stream.max_bytes // 1024**2} MiB, in {stream.storage.value}"


def _delivery(stream: StreamSpec) -> str:
    is_durable = any(entry.is_durable for entry in CATALOGUE if entry.stream is stream)
    return "durable: each event once by id" if is_durable else "lossy: may be missing, and gone after a restart"
