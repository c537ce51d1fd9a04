"""What bounds the blob store."""

from typing import Annotated

from pydantic import Field

from headway.contract.limits import BLOB_MAX_BYTES
from headway.runtime.settings import Section


class BlobSettings(Section):
    """Bounds of uploads."""

    max_blob_bytes: Annotated[int, Field(ge=1)] = BLOB_MAX_BYTES
    """Largest blob, bytes. Too low refuses models; too high lets one upload fill the disk. Recommended: 8 GiB."""

    idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """An upload that brings less than 64 KiB in this time is ended; what came is kept. Too low cuts slow links."""

    num_upload_slots: Annotated[int, Field(ge=1, le=4096)] = 256
    """Uploads at a time; more are told to come back. Each takes up to 3 MiB of memory, 1 MiB when many run."""

    stale_part_hours: Annotated[float, Field(gt=0)] = 48.0
    """An unfinished upload that nobody came back for is deleted after this. Too low loses the use of resuming."""

    unused_hours: Annotated[float, Field(ge=1)] = 48.0
    """A blob that no job, dataset or model names is deleted when nobody asked for it for this long. Too low makes slow
    hosts upload twice; too high keeps the files of replaced checkpoints."""

    min_free_mib: Annotated[int, Field(ge=0)] = 256
    """Uploads are refused with DISK_FULL when they would leave less room than this, so that records can be written."""
