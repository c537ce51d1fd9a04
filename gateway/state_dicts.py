"""Checks a state dict without torch: structure first, then every number of it, in one pass over the file.

The pass reads into one small buffer instead of mapping the file: mapped pages count as this process's memory, and a
map of a file that somebody cuts short ends the process.
"""

import hashlib
from io import BufferedIOBase

from gateway.safetensors_header import TensorEntry, read_header
from headway.contract.architectures import Architecture, check_tensors
from headway.contract.digests import digest_of_hash
from headway.contract.errors import InvalidSafetensors, InvalidTensor, echo

_SLICE_BYTES = 4 * 1024 * 1024
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_BF16_EXPONENT = 0x7F80


def check_state_dict(file: BufferedIOBase, size_bytes: int, architecture: Architecture | None) -> str:
    """Check a safetensors file. Blocking: runs in a disk thread; takes a few MiB of memory, whatever the file.

    Args:
        file: at its beginning.
        size_bytes: of the whole file.
        architecture: what its tensors must be; None when only the format can be checked.

    Returns:
        The digest of what was read, for the caller to compare.

    Raises:
        InvalidSafetensors: not a well-formed file.
        TooManyTensors, InvalidTensor: a tensor that headway does not take, or a number that is not finite.
        ArchitectureMismatch: not the tensors of the architecture.
    """
    header = read_header(file, size_bytes)
    if not header.entries:
        raise InvalidSafetensors("the file holds no tensor")
    if architecture is not None:
        check_tensors(architecture, {entry.name: (entry.dtype, entry.shape) for entry in header.entries})
    running = hashlib.sha256(header.content)
    buffer = memoryview(bytearray(_SLICE_BYTES))
    for entry in header.entries:
        left = entry.end - entry.start
        while left:
            piece = buffer[: min(left, _SLICE_BYTES)]
            if file.readinto(piece) != len(piece):
                raise InvalidSafetensors("the file ends early")
            running.update(piece)
            _check_finite(entry, piece)
            left -= len(piece)
    return digest_of_hash(running)


def _check_finite(entry: TensorEntry, piece: memoryview) -> None:
    import numpy as np  # Late: a gateway that takes no result never pays for it.

    if entry.dtype in _FLOATS:
        is_finite = bool(np.isfinite(np.frombuffer(piece, _FLOATS[entry.dtype])).all())
    elif entry.dtype == "BF16":
        exponents = np.frombuffer(piece, "<u2") & _BF16_EXPONENT
        is_finite = not bool((exponents == _BF16_EXPONENT).any())
    else:
        return
    if not is_finite:
        raise InvalidTensor(f"{echo(entry.name)} holds a number that is not finite", metadata={"tensor": entry.name})
