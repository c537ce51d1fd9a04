"""Reads the header of a safetensors file without trusting a byte of it."""

import json
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod

from headway.contract.errors import InvalidSafetensors, InvalidTensor, TooManyTensors, echo
from headway.contract.limits import SAFETENSORS_HEADER_MAX_BYTES, TENSORS_MAX

ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""The dtypes that headway takes, with the size of one number."""

PARSED_HEADER_MAX_BYTES = 2 * 1024 * 1024
"""Room for some 20,000 tensors. Parsed JSON takes many times its size in memory."""

_LENGTH = struct.Struct("<Q")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_METADATA = "__metadata__"
_DIMENSIONS_MAX = 8
_METADATA_MAX = 256

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file.

    Attributes:
        name: its name.
        dtype: one of ITEM_BYTES.
        shape: its dimensions.
        start: first byte of its numbers, from the beginning of the file.
        end: behind its last byte.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a file.

    Attributes:
        content: its first bytes, up to the first number.
        entries: every tensor, in the order of their bytes, which cover the rest of the file exactly.
    """

    content: bytes
    entries: Sequence[TensorEntry]


def read_header(file: BufferedIOBase, size_bytes: int) -> Header:
    """Read a file up to its first number.

    The sizes are checked before anything that grows with them is made.

    Args:
        file: at its beginning.
        size_bytes: of the whole file.

    Raises:
        InvalidSafetensors: the header is no header, or the tensors do not cover the file exactly, once.
        TooManyTensors: over the limit; the header was not parsed.
        InvalidTensor: a name, dtype or shape that headway does not take.
    """
    prefix = file.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        raise InvalidSafetensors(f"the file has {size_bytes} bytes, too few for a header")
    (length,) = _LENGTH.unpack(prefix)
    if length > size_bytes - len(prefix):
        raise InvalidSafetensors(f"the header claims {length} bytes, and the file has {size_bytes}")
    if length > PARSED_HEADER_MAX_BYTES:
        _check_count(file.read(min(length, SAFETENSORS_HEADER_MAX_BYTES)))
        raise InvalidSafetensors(f"the header has {length} bytes; the limit is {PARSED_HEADER_MAX_BYTES}")
    content = file.read(length)
    data_start = _LENGTH.size + length
    entries = sorted(_entries(_parse(content), data_start), key=lambda entry: (entry.start, entry.end))
    position = data_start
    for entry in entries:
        if entry.start != position:
            what = "overlap" if entry.start < position else "leave a hole"
            raise InvalidSafetensors(f"the tensors {what} before {echo(entry.name)}")
        position = entry.end
    if position != size_bytes:
        raise InvalidSafetensors(f"the tensors end at byte {position}, and the file at {size_bytes}")
    return Header(prefix + content, entries)


def _parse(content: bytes) -> dict[str, Json]:
    try:
        header: Json = json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InvalidSafetensors(f"the header is not JSON as it should be: {str(error)[:100]}") from None
    if not isinstance(header, dict):
        raise InvalidSafetensors("the header is not a JSON object")
    return header


def _check_count(content: bytes) -> None:
    """Name the fault of a header that is too long to parse: half a million empty tensors would take seconds."""
    num_tensors = content.count(b'"data_offsets"')
    if num_tensors > TENSORS_MAX:
        raise TooManyTensors(
            f"the file lists {num_tensors} tensors or more; the limit is {TENSORS_MAX}",
            metadata={"limit": str(TENSORS_MAX)},
        )


def _unique(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{echo(name)} occurs twice")
        found[name] = value
    return found


def _entries(header: dict[str, Json], data_start: int) -> Iterable[TensorEntry]:
    for name, described in header.items():
        if name == _METADATA:
            _check_metadata(described)
            continue
        match described:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)], **rest} if (
                not rest
            ):
                yield _entry(name, dtype, shape, (begin, end), data_start)
            case _:
                raise InvalidSafetensors(f"{echo(name)} is not described by dtype, shape and data_offsets")


def _entry(name: str, dtype: str, shape: Sequence[Json], offsets: tuple[int, int], data_start: int) -> TensorEntry:
    if _NAME.fullmatch(name) is None or ".." in name:
        raise InvalidTensor(f"{echo(name)} is not a name of a tensor: 1 to 256 letters, digits and _ . -")
    if dtype not in ITEM_BYTES:
        raise InvalidTensor(f"{echo(name)} has dtype {echo(dtype)}; allowed are {', '.join(ITEM_BYTES)}")
    dimensions = tuple(size for size in shape if isinstance(size, int) and not isinstance(size, bool) and size >= 0)
    if len(dimensions) != len(shape) or len(shape) > _DIMENSIONS_MAX:
        raise InvalidTensor(f"{echo(name)} has no acceptable shape")
    begin, end = offsets
    if end - begin != prod(dimensions) * ITEM_BYTES[dtype] or begin < 0:
        raise InvalidSafetensors(f"{echo(name)} takes {end - begin} bytes, which its dtype and shape do not")
    return TensorEntry(name, dtype, dimensions, data_start + begin, data_start + end)


def _check_metadata(described: Json) -> None:
    is_text = isinstance(described, dict) and all(isinstance(value, str) for value in described.values())
    if not is_text or (isinstance(described, dict) and len(described) > _METADATA_MAX):
        raise InvalidSafetensors("__metadata__ is not a small map of text to text")
