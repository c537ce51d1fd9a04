"""The gateway's settings."""

from typing import Annotated

from pydantic import Field

from gateway.blobs.settings import BlobSettings
from headway.contract.limits import QUEUED_JOBS_PER_PROJECT_MAX, WATCHES_PER_KEY_MAX
from headway.runtime.address_list import AddressList
from headway.runtime.settings import ListenAddress, Section, SharedSettings


class JobSettings(Section):
    """Bounds of the queue and of watches."""

    queued_per_project: Annotated[int, Field(ge=1, le=1_000_000)] = QUEUED_JOBS_PER_PROJECT_MAX
    """Queued jobs that a project may have; one more is refused with QUEUE_FULL. Recommended: what a week trains."""

    queued_per_key: Annotated[int, Field(ge=1, le=1_000_000)] = QUEUED_JOBS_PER_PROJECT_MAX
    """Queued jobs that were submitted with one key. Lower it where several people share a project."""

    min_free_mib: Annotated[int, Field(ge=0)] = 64
    """New jobs are refused with DISK_FULL when less is free on the gateway's disk, or on that of a nats-server on the
    same machine. Too low, and jobs that were accepted meet the end of the disk. Less than that of uploads."""

    watches_per_key: Annotated[int, Field(ge=1, le=100_000)] = WATCHES_PER_KEY_MAX
    """Watches and followed logs that one key may have open; each costs about 50 KiB."""

    heartbeat_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    """A watcher hears something at least this often. Too high, and proxies cut the silent connection."""

    watch_write_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """A watcher that does not read for this long is cut off with WATCH_LAGGED. Too low cuts slow links."""


class GatewaySection(Section):
    """Where the gateway listens and what bounds it."""

    listen: ListenAddress = ListenAddress("127.0.0.1:7070")
    """host:port of all its services; port 0 for any free one."""

    scheduler_address: AddressList = AddressList("127.0.0.1:7071")
    """host:port of the scheduler, which explains why a job waits; of every scheduler, with commas between, where
    several run. Hosts that are enrolled are told the same."""

    max_concurrent_calls: Annotated[int, Field(ge=8, le=100_000)] = 2048
    """Calls in flight; more are refused with TOO_MANY_CALLS. Watches and followed logs may take three quarters of it.
    Too low refuses work, too high lets a flood take memory: about 50 KiB a call."""

    jobs: JobSettings = JobSettings()
    """Bounds of the queue and of watches."""

    blobs: BlobSettings = BlobSettings()
    """Bounds of uploads."""


class GatewaySettings(SharedSettings):
    """Shared settings and the section [gateway]."""

    gateway: GatewaySection = GatewaySection()
    """The gateway's own."""
