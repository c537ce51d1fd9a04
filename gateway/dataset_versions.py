"""How a dataset's record grows: pure functions from one record to the next."""

import hashlib
import re

from gateway.data_root import FileFacts
from headway.contract.errors import TooManyVersions, UnknownDataset, Violation
from headway.v1.datasets_pb2 import Dataset
from headway.v1.records_pb2 import DatasetRecord, FileOrigin

VERSIONS_MAX = 500
ORIGINS_MAX = 32
COLUMNS_MAX_CHARACTERS = 32 * 1024
"""Column names beyond this are not kept in the record, whose size is bounded, but read from the file when asked for."""

_FOREIGN = re.compile(r"[^a-z0-9._-]+")
_ID_MAX_CHARACTERS = 64


def with_version(record: DatasetRecord, wanted: Dataset, origin: FileFacts | None) -> DatasetRecord | None:
    """Add a version, or remember where one came from.

    Args:
        record: as stored; empty for a dataset that does not exist yet.
        wanted: the version, without its number.
        origin: the file below the data root that it was read from; None for an upload.

    Returns:
        None when the record says it all already.

    Raises:
        TooManyVersions: the dataset has as many versions as it may.
    """
    changed = DatasetRecord()
    changed.CopyFrom(record)
    found = find_content(changed, wanted.digest, wanted.format)
    if found is None:
        if len(changed.versions) >= VERSIONS_MAX:
            raise TooManyVersions(
                f"{wanted.name} has {VERSIONS_MAX} versions, which is the limit; make another dataset",
                metadata={"limit": str(VERSIONS_MAX)},
            )
        if changed.versions:
            # Only the newest version keeps its columns: the record has a bounded size.
            changed.versions[-1].ClearField("columns")
        found = changed.versions.add()
        found.CopyFrom(wanted)
        found.version = len(changed.versions)
        if sum(map(len, wanted.columns)) > COLUMNS_MAX_CHARACTERS:
            found.ClearField("columns")
    if origin is not None and find_origin(changed, origin) != found.version:
        _add_origin(changed, origin, found.version)
    return None if changed == record else changed


def find_content(record: DatasetRecord, digest: str, data_format: str) -> Dataset | None:
    """The version with this content, read as this format."""
    same = (version for version in record.versions if version.digest == digest and version.format == data_format)
    return next(same, None)


def find_origin(record: DatasetRecord, facts: FileFacts) -> int:
    """The version that a file gave when it was last taken in, if it is unchanged since; else 0."""
    wanted = _origin(facts, 0)
    for origin in reversed(record.origins):
        wanted.version = origin.version
        if origin == wanted:
            return origin.version
    return 0


def find_version(record: DatasetRecord, number: int, *, dataset: str, field: str) -> Dataset:
    """A version by number, 0 for the newest; the record's own, so copy it before you change it.

    Raises:
        UnknownDataset: there is no such version.
    """
    newest = len(record.versions)
    if 0 <= number <= newest and newest:
        return record.versions[(number or newest) - 1]
    message = f"{dataset} has no version {number}"
    raise UnknownDataset(message, violations=[Violation(field, UnknownDataset.reason, message, f"1 to {newest}")])


def dataset_id_for(path: str) -> str:
    """The id of a dataset that nobody named, from the path of its file without the ending."""
    stem = path.rpartition(".")[0] if "." in path.rpartition("/")[2].lstrip(".") else path
    readable = _FOREIGN.sub("-", stem.lower().replace("/", "-")).strip("-._")
    if readable == stem and len(readable) <= _ID_MAX_CHARACTERS:
        return readable
    # What was lost in making it readable must not make two files one dataset.
    mark = hashlib.sha256(path.encode()).hexdigest()[:8]
    return f"{readable[: _ID_MAX_CHARACTERS - 9]}-{mark}".lstrip("-._")


def _add_origin(record: DatasetRecord, facts: FileFacts, version: int) -> None:
    others = [origin for origin in record.origins if origin.data_path != facts.data_path]
    del record.origins[:]
    record.origins.extend([*others[-(ORIGINS_MAX - 1) :], _origin(facts, version)])


def _origin(facts: FileFacts, version: int) -> FileOrigin:
    return FileOrigin(
        data_path=facts.data_path,
        size_bytes=facts.size_bytes,
        modify_time_ns=facts.modify_time_ns,
        inode=facts.inode,
        version=version,
    )
