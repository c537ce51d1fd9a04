"""Compiles protos into descriptors that know their options, without using the generated stubs."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from protos.build import PACKAGE, ROOT, run_protoc


def headway_protos() -> list[FileDescriptor]:
    """Every file of protos/headway/v1."""
    return compile_protos(ROOT / "protos")


def compile_sources(sources: Mapping[str, str]) -> list[FileDescriptor]:
    """Proto sources by file stem, given the header that all of our protos share."""
    header = """
        syntax = "proto3";
        package headway.v1;
        import "google/api/annotations.proto";
        import "google/api/field_behavior.proto";
        import "google/api/resource.proto";
        import "google/protobuf/duration.proto";
        import "google/protobuf/timestamp.proto";
        """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / PACKAGE
        folder.mkdir(parents=True)
        for stem, source in sources.items():
            (folder / f"{stem}.proto").write_text(header + source, encoding="utf-8")
        return compile_protos(Path(scratch))


def compile_protos(proto_root: Path) -> list[FileDescriptor]:
    """Every file under `proto_root`/headway/v1, linked with all it imports."""
    names = sorted(str(path.relative_to(proto_root)) for path in (proto_root / PACKAGE).glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "image.binpb"
        run_protoc(proto_root, "--include_imports", f"--descriptor_set_out={image}", *names)
        file_set = FileDescriptorSet.FromString(image.read_bytes())
    pool = DescriptorPool()
    for file in file_set.file:
        pool.AddSerializedFile(file.SerializeToString())
    return [pool.FindFileByName(name) for name in names]


def methods(files: list[FileDescriptor]) -> Iterator[MethodDescriptor]:
    """Every method of every service."""
    for file in files:
        for service in file.services_by_name.values():
            yield from service.methods


def messages(files: list[FileDescriptor]) -> Iterator[Descriptor]:
    """Every message, nested ones too, without the entries that protoc makes for maps."""
    waiting = [message for file in files for message in file.message_types_by_name.values()]
    while waiting:
        message = waiting.pop(0)
        if not message.GetOptions().map_entry:
            yield message
            waiting.extend(message.nested_types)


def enums(files: list[FileDescriptor]) -> Iterator[EnumDescriptor]:
    """Every enum, nested ones too."""
    for file in files:
        yield from file.enum_types_by_name.values()
    for message in messages(files):
        yield from message.enum_types
