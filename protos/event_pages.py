"""Writes docs/asyncapi.yaml and the tables of docs/events.md: `python -m protos.event_pages`, as `make docs` does.

The comments of the protos are in these pages, and only protoc can read them; so this is no part of the package.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from headway.contract.asyncapi import render
from headway.contract.event_tables import fill_in
from protos.build import PACKAGE, ROOT, run_protoc

EVENTS_PAGE = ROOT / "docs" / "events.md"
ASYNCAPI_PAGE = ROOT / "docs" / "asyncapi.yaml"
_MESSAGES_OF_FILE, _FIELDS_OF_MESSAGE = 4, 2  # numbers of the fields in descriptor.proto


def pages() -> dict[Path, str]:
    """Each page as it should be."""
    comments = read_comments()
    page = EVENTS_PAGE.read_text(encoding="utf-8")
    return {EVENTS_PAGE: fill_in(page, comments), ASYNCAPI_PAGE: render(comments)}


def read_comments() -> dict[str, str]:
    """The comment before each message and field of headway/v1, by full name."""
    protos = sorted(str(proto) for proto in (ROOT / "protos" / PACKAGE).glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "commented.binpb"
        run_protoc(ROOT / "protos", "--include_source_info", f"--descriptor_set_out={image}", *protos)
        files = FileDescriptorSet.FromString(image.read_bytes()).file
    return {name: comment for file in files for name, comment in _comments_of(file)}


def _comments_of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        comment = location.leading_comments.strip()
        match list(location.path):
            case [kind, message] if kind == _MESSAGES_OF_FILE and comment:
                yield f"{file.package}.{file.message_type[message].name}", comment
            case [kind, message, inner, field] if (kind, inner) == (_MESSAGES_OF_FILE, _FIELDS_OF_MESSAGE) and comment:
                described = file.message_type[message]
                yield f"{file.package}.{described.name}.{described.field[field].name}", comment


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}")
