"""The resume token of a watch: a job and the number of its last transition that was told. It gives no rights."""

import base64
import binascii

from headway.contract.errors import ResumeTokenExpired
from headway.v1.jobs_pb2 import Job

_MAX_CHARACTERS = 128


def write_watch_token(job_id: str, transition_number: int) -> str:
    """The token of a message after which `transition_number` is the last transition told."""
    return base64.urlsafe_b64encode(f"{job_id}:{transition_number}".encode()).decode().rstrip("=")


def read_watch_token(token: str, job_id: str, job: Job) -> int:
    """The last transition that the watcher has.

    Args:
        token: as the watcher gave it.
        job_id: of the job that it asks for.
        job: the job as it is now.

    Raises:
        ResumeTokenExpired: the token is of another job, from the future, or older than the history that is kept.
    """
    number = _number(token, job_id)
    newest = job.transitions[-1].number if job.transitions else 0
    num_kept = sum(transition.number > (number or 0) for transition in job.transitions)
    if number is None or number > newest:
        raise ResumeTokenExpired(
            "the resume token is not of this job; watch without one, which begins with a snapshot",
            metadata={"newest_transition": str(newest)},
        )
    if num_kept != newest - number:
        raise ResumeTokenExpired(
            "the resume token is older than the history that is kept; watch without one, which begins with a snapshot",
            metadata={"newest_transition": str(newest)},
        )
    return number


def _number(token: str, job_id: str) -> int | None:
    if len(token) > _MAX_CHARACTERS:
        return None
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    owner, _, digits = text.partition(":")
    return int(digits) if owner == job_id and digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
