"""The request is well formed and still refused: by access, by state, by limits or by a fault of ours."""

from headway.contract.errors.kernel import Code, HeadwayError


class MissingKey(HeadwayError):
    """The call carries no key."""

    reason = "MISSING_KEY"
    code = Code.UNAUTHENTICATED


class InvalidKey(HeadwayError):
    """The key is malformed, unknown, revoked or expired; which of these is not told."""

    reason = "INVALID_KEY"
    code = Code.UNAUTHENTICATED


class ScopeDenied(HeadwayError):
    """The key lacks the scope that the method needs."""

    reason = "SCOPE"
    code = Code.PERMISSION_DENIED


class PermissionDenied(HeadwayError):
    """The key has no right on the project, or the project does not exist; which of these is not told."""

    reason = "PERMISSION_DENIED"
    code = Code.PERMISSION_DENIED


class NotFound(HeadwayError):
    """The addressed resource does not exist, or the caller may not see it."""

    reason = "NOT_FOUND"
    code = Code.NOT_FOUND


class RequestIdReused(HeadwayError):
    """The request_id was used before for a different request."""

    reason = "REQUEST_ID_REUSED"
    code = Code.ALREADY_EXISTS


class AlreadyExists(HeadwayError):
    """A resource of this name exists with other content."""

    reason = "ALREADY_EXISTS"
    code = Code.ALREADY_EXISTS


class HostIdInUse(HeadwayError):
    """Another live process synchronizes under this host id."""

    reason = "HOST_ID_IN_USE"
    code = Code.ALREADY_EXISTS


class InvalidTransition(HeadwayError):
    """The job's state does not allow this change."""

    reason = "INVALID_TRANSITION"
    code = Code.FAILED_PRECONDITION


class StaleAttempt(HeadwayError):
    """The write names an attempt that is not the job's current one; nothing was changed."""

    reason = "STALE_ATTEMPT"
    code = Code.FAILED_PRECONDITION


class JobCancelled(HeadwayError):
    """The job's cancellation was acknowledged; no result is accepted any more."""

    reason = "CANCELLED"
    code = Code.FAILED_PRECONDITION


class AlreadySaved(HeadwayError):
    """The job already has a result with other content."""

    reason = "ALREADY_SAVED"
    code = Code.FAILED_PRECONDITION


class NoGpuHost(HeadwayError):
    """A GPU is required and no live host of the asked mode has one."""

    reason = "NO_GPU_HOST"
    code = Code.FAILED_PRECONDITION


class KindUnavailable(HeadwayError):
    """No recipe of this kind exists in this release."""

    reason = "KIND_UNAVAILABLE"
    code = Code.UNIMPLEMENTED


class NotDurable(HeadwayError):
    """The nats-server acknowledges writes before they are on disk."""

    reason = "NOT_DURABLE"
    code = Code.FAILED_PRECONDITION


class ResumeTokenExpired(HeadwayError):
    """A watch token is foreign, from the future, or older than the history that is kept."""

    reason = "RESUME_TOKEN_EXPIRED"
    code = Code.OUT_OF_RANGE


class QueueFull(HeadwayError):
    """The project or key has as many queued jobs as it may."""

    reason = "QUEUE_FULL"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class BlobTooLarge(HeadwayError):
    """A blob is over the size limit."""

    reason = "BLOB_TOO_LARGE"
    code = Code.RESOURCE_EXHAUSTED


class DiskFull(HeadwayError):
    """The store's disk has no room; nothing was acknowledged."""

    reason = "DISK_FULL"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class WatchLagged(HeadwayError):
    """The watcher read too slowly and was cut; watch again from the token."""

    reason = "WATCH_LAGGED"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class TooManyWatches(HeadwayError):
    """The key has as many open watches as it may."""

    reason = "TOO_MANY_WATCHES"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class TooManyCalls(HeadwayError):
    """The service has as many calls in flight as it may; this one was not begun."""

    reason = "TOO_MANY_CALLS"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class TooManyMessages(HeadwayError):
    """A stream sends messages faster than its limit."""

    reason = "TOO_MANY_MESSAGES"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class TooManyPredictions(HeadwayError):
    """As many predictions wait for their answer as may."""

    reason = "TOO_MANY_PREDICTIONS"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class PredictionFailed(HeadwayError):
    """The trainer host could not answer, through no fault of the rows; nothing is left of it. Asking again may help."""

    reason = "PREDICTION_FAILED"
    code = Code.ABORTED
    retryable = True


class DeadlineExceeded(HeadwayError):
    """The call ran into its deadline or the server's own limit."""

    reason = "DEADLINE_EXCEEDED"
    code = Code.DEADLINE_EXCEEDED
    retryable = True


class RuntimeUnavailable(HeadwayError):
    """Trainer hosts are up, and none of them can import PyTorch."""

    reason = "RUNTIME_UNAVAILABLE"
    code = Code.UNAVAILABLE
    retryable = True


class StoreUnavailable(HeadwayError):
    """nats-server does not answer; whether the last write happened is unknown."""

    reason = "STORE_UNAVAILABLE"
    code = Code.UNAVAILABLE
    retryable = True


class ServiceUnavailable(HeadwayError):
    """A service that this call needs does not answer."""

    reason = "SERVICE_UNAVAILABLE"
    code = Code.UNAVAILABLE
    retryable = True


class NotLeader(HeadwayError):
    """This scheduler is a standby: another one decides, or will in a moment."""

    reason = "NOT_LEADER"
    code = Code.UNAVAILABLE
    retryable = True


class Contention(HeadwayError):
    """The record changed under every try of the compare-and-set; nothing was written."""

    reason = "CONTENTION"
    code = Code.ABORTED
    retryable = True


class EtagMismatch(HeadwayError):
    """The resource has changed since the etag that the call names; nothing was written."""

    reason = "ETAG_MISMATCH"
    code = Code.ABORTED


class DigestMismatch(HeadwayError):
    """Bytes do not hash to their digest; they were thrown away. Sending them again can help."""

    reason = "DIGEST_MISMATCH"
    code = Code.DATA_LOSS
    retryable = True


class InternalError(HeadwayError):
    """A defect of headway; the request id finds it in the logs."""

    reason = "INTERNAL"
    code = Code.INTERNAL


class WrongOffset(HeadwayError):
    """An upload stream begins elsewhere than where the kept content ends; metadata committed_size_bytes says where."""

    reason = "UPLOAD_OFFSET"
    code = Code.OUT_OF_RANGE


class UploadSuperseded(HeadwayError):
    """Another call went on with this upload; this one was ended."""

    reason = "UPLOAD_SUPERSEDED"
    code = Code.ABORTED
    retryable = True


class TooManyUploads(HeadwayError):
    """As many uploads run as the gateway has slots for."""

    reason = "TOO_MANY_UPLOADS"
    code = Code.RESOURCE_EXHAUSTED
    retryable = True


class TooManyVersions(HeadwayError):
    """A dataset has as many versions as its record can hold."""

    reason = "TOO_MANY_VERSIONS"
    code = Code.FAILED_PRECONDITION


class BlobMissing(HeadwayError):
    """A bundle names a blob that the store does not hold, or no longer holds whole; send it, then try again."""

    reason = "BLOB_MISSING"
    code = Code.FAILED_PRECONDITION
    retryable = True


class PortInUse(HeadwayError):
    """Something else listens on the port that was asked for."""

    reason = "PORT_IN_USE"
    code = Code.FAILED_PRECONDITION
