"""A job as callers see it: its record, with what is only known when it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headway.contract.host_facts import HostFacts
from headway.contract.modes import has_gpu
from headway.contract.pausing import paused_in_words
from headway.contract.times import moment
from headway.runtime.clock import Clock
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, JOB_STATE_PAUSING, JOB_STATE_QUEUED, JOB_STATE_RUNNING, Job, Progress
from headway.v1.records_pb2 import JobRecord

_UNDER_WAY = (JOB_STATE_RUNNING, JOB_STATE_PAUSING)


class KnowsProgress(Protocol):
    """Who has heard how far jobs are."""

    def progress_of(self, job_id: str) -> Progress | None:
        """The newest progress of a job; shared, so nobody changes it."""
        ...


class KnowsHosts(Protocol):
    """Who knows which hosts are up."""

    def live(self) -> Sequence[HostFacts]:
        """Facts of the hosts that are up."""
        ...


@dataclass(frozen=True, slots=True)
class JobViews:
    """Turns records into jobs.

    Attributes:
        progress: of jobs under way.
        hosts: for the reason why a job waits.
        clock: for the same.
    """

    progress: KnowsProgress
    hosts: KnowsHosts
    clock: Clock

    def finished(self, record: JobRecord, revision: int) -> Job:
        """The record's own job, with the rest filled in; the record must be the caller's own copy."""
        job = record.job
        job.etag = etag_of(revision)
        reason = wait_reason(record, self.hosts.live(), self.clock.now())
        if reason:
            job.wait_reason = reason
        progress = self.progress.progress_of(job.name.rpartition("/")[2]) if job.state in _UNDER_WAY else None
        if progress is not None and progress.attempt == job.attempt:
            job.progress.CopyFrom(progress)
        return job

    def copy_of(self, record: JobRecord, revision: int) -> Job:
        """As `finished`, of a record that is shared."""
        copy = JobRecord()
        copy.CopyFrom(record)
        return self.finished(copy, revision)


def etag_of(revision: int) -> str:
    """The entity tag of a revision, in quotes as RFC 7232 wants it."""
    return f'"{revision}"'


def wait_reason(record: JobRecord, hosts: Sequence[HostFacts], now: datetime) -> str:
    """Why a queued or paused job waits, as far as the gateway knows; empty for any other. The scheduler knows more."""
    job = record.job
    if job.state == JOB_STATE_PAUSED:
        return paused_in_words(job)
    if job.state != JOB_STATE_QUEUED:
        return ""
    if record.HasField("not_before_time") and moment(record.not_before_time) > now:
        seconds = (moment(record.not_before_time) - now).total_seconds()
        return f"waits {seconds:.0f} s before attempt {job.attempt + 1}, after {job.failure.reason or 'a failure'}"
    if not hosts:
        return "no trainer host is up"
    resources = job.spec.resource_spec
    if resources.require_gpu and not any(has_gpu(host, resources.gpu_type) for host in hosts):
        return f"no trainer host with a GPU{f' {resources.gpu_type}' if resources.gpu_type else ''} is up"
    if not any(job.kind in host.kinds and not host.draining for host in hosts):
        return f"no trainer host that is up takes jobs of kind {job.kind}"
    return "waits for a free slot on a trainer host"
