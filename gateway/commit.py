"""Makes what a host uploaded the job's result or checkpoint: fenced, idempotent, and acknowledged only when it lasts.

The order is the promise: check the fence, check and settle the files, compare-and-set the job's record, register the
model version, answer. A kill anywhere leaves whole files, or a record that says SUCCEEDED; the host's retry or the
registrar does the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.bundles import Expected, check_bundle
from gateway.claims import Claim
from gateway.model_versions import version_name
from gateway.registrations import Registrations
from gateway.result_checks import check_summary, cut_warnings
from gateway.rights import no_such_job
from headway.contract import transitions
from headway.contract.digests import check_digest
from headway.contract.errors import OutOfRange, Violation
from headway.contract.ids import JobName
from headway.contract.record_changes import check_holder
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoints_around
from headway.runtime.records import RecordMissing, Records, Stored
from headway.v1.jobs_pb2 import Bundle, Checkpoint, JobResult, ResultSummary
from headway.v1.records_pb2 import JobRecord


class Disposition(Enum):
    """What a commit did."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a committed result.

    Attributes:
        disposition: whether it was this call that did it.
        model_version: name of the version made; empty when the model is not saved.
    """

    disposition: Disposition
    model_version: str


class Commits:
    """Commits results and checkpoints."""

    def __init__(
        self,
        jobs: Records[JobRecord],
        blobs: BlobStore,
        registrations: Registrations,
        threads: DiskThreads,
        clock: Clock,
    ) -> None:
        """Args: jobs: the truth. blobs: the files. registrations: of model versions. threads: for file work."""
        self._registrations = registrations
        self._jobs = jobs
        self._blobs = blobs
        self._threads = threads
        self._clock = clock

    async def commit_result(self, claim: Claim, bundle: Bundle, summary: ResultSummary) -> Committed:
        """Make a bundle the job's result.

        Raises:
            NotFound: no such job.
            AlreadySaved, JobCancelled, StaleAttempt: final for the caller; nothing was changed.
            OutOfRange, InvalidManifest and the errors of `check_bundle`: the bundle is not acceptable.
            BlobMissing, DigestMismatch: send what is missing, then again.
        """
        check_digest("bundle.digest", bundle.digest)
        record = await self._find(claim.job)
        if transitions.committed_digest(record) == bundle.digest:
            return await self._answer(Disposition.DUPLICATE, record)
        result = JobResult(bundle=bundle, summary=cut_warnings(summary), attempt=claim.attempt)
        # The cheap look at the fence spares a stale host the wait; the one that counts is in the compare-and-set.
        transitions.commit_result(record, host=claim.host, result=result, now=self._clock.now())
        check_summary(summary)
        with failpoints_around("save.s4"):
            await self._check(claim, record, bundle, is_result=True)
        if not transitions.missed_scores(record.job.spec, result):
            result.model_version = version_name(record)
        disposition = Disposition.ACCEPTED

        def decide(current: JobRecord) -> JobRecord | None:
            nonlocal disposition
            if transitions.committed_digest(current) == bundle.digest:
                disposition = Disposition.DUPLICATE
                return None
            disposition = Disposition.ACCEPTED
            return transitions.commit_result(current, host=claim.host, result=result, now=self._clock.now())

        async def commit() -> Committed:
            with failpoints_around("save.s6"):
                stored = await self._change(claim.job, decide)
            return await self._answer(disposition, stored.value)

        return await self._registrations.carry_out(claim.job.project, commit())

    async def commit_checkpoint(self, claim: Claim, step: int, bundle: Bundle) -> Checkpoint:
        """Make a bundle the state that the job's next attempt starts from; the one before is kept beside it.

        The files of older ones go when nobody has asked for them in two days: `gateway/blob_collector.py`.

        Returns:
            The job's newest checkpoint.

        Raises:
            OutOfRange: a step before that of the attempt's newest checkpoint, or outside of the job.
            As `commit_result`, but that a job which is being cancelled takes checkpoints.
        """
        check_digest("bundle.digest", bundle.digest)
        record = await self._find(claim.job)
        if _is_repeated(record, step, bundle):
            return record.job.checkpoint
        check_holder(record, claim.attempt, claim.host)
        _check_step(record, claim.attempt, step)
        await self._check(claim, record, bundle, is_result=False)
        checkpoint = Checkpoint(attempt=claim.attempt, step=step, bundle=bundle)

        def decide(current: JobRecord) -> JobRecord | None:
            if _is_repeated(current, step, bundle):
                return None
            changed = transitions.commit_checkpoint(
                current, host=claim.host, checkpoint=checkpoint, now=self._clock.now()
            )
            _check_step(current, claim.attempt, step)
            return changed

        with failpoints_around("checkpoint.commit"):
            return (await self._change(claim.job, decide)).value.job.checkpoint

    async def _answer(self, disposition: Disposition, record: JobRecord) -> Committed:
        """Only now may the host forget its copy: make sure that the version is there, whoever made the result."""
        await self._registrations.register(record)
        return Committed(disposition, record.job.result.model_version)

    async def _check(self, claim: Claim, record: JobRecord, bundle: Bundle, *, is_result: bool) -> None:
        expected = Expected(
            project=claim.job.project,
            job=claim.job.name,
            kind=record.job.kind,
            attempt=claim.attempt,
            input_digests=frozenset(pinned.digest for pinned in record.inputs),
            is_result=is_result,
        )
        await self._threads.run(check_bundle, self._blobs, bundle, expected)

    async def _find(self, job: JobName) -> JobRecord:
        stored = await self._jobs.find(job.job_id)
        if stored is None or stored.value.job.name != job.name:
            raise no_such_job()
        return stored.value

    async def _change(self, job: JobName, decide: Callable[[JobRecord], JobRecord | None]) -> Stored[JobRecord]:
        try:
            return await self._jobs.change(job.job_id, decide)
        except RecordMissing:
            raise no_such_job() from None


def _is_repeated(record: JobRecord, step: int, bundle: Bundle) -> bool:
    newest = record.job.checkpoint
    return newest.step == step and newest.bundle.digest == bundle.digest


def _check_step(record: JobRecord, attempt: int, step: int) -> None:
    # An attempt that could not go on from the newest began earlier, and its state is the only good one.
    least = record.job.checkpoint.step if record.job.checkpoint.attempt == attempt else 0
    estimate = record.job.admission.total_steps
    # Admission counted the steps from the table's rows without reading them; what training finds may differ a little.
    greatest = estimate + estimate // 10 + 100 if estimate else 2**63 - 1
    if least <= step <= greatest:
        return
    message = f"step {step} cannot be that of the job's newest checkpoint"
    raise OutOfRange(message, violations=[Violation("step", OutOfRange.reason, message, f"{least} to {greatest}")])
