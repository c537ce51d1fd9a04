"""What the tests of full disks share: submitting until the answer changes."""

from headway.runtime.remote_error import RemoteError, answer
from headway.testing.eventually import eventually
from tests.jobs_gateway import Gateway, a_request

LIMIT_SECONDS = 60.0


async def refusal_of_a_job(gateway: Gateway) -> RemoteError | None:
    """How a new job is refused; None when it is taken."""
    try:
        await answer(gateway.jobs.CreateJob(a_request(), timeout=20))
    except RemoteError as error:
        return error
    return None


async def until_refused(gateway: Gateway, reason: str = "DISK_FULL") -> RemoteError:
    """Submit until the answer is no, for this reason."""
    found: RemoteError | None = None

    async def refuses() -> bool:
        nonlocal found
        found = await refusal_of_a_job(gateway)
        return found is not None and found.reason == reason

    await eventually(refuses, timeout_seconds=LIMIT_SECONDS)
    assert found is not None
    return found


async def until_taken(gateway: Gateway) -> None:
    """Submit until the answer is yes."""

    async def takes() -> bool:
        return await refusal_of_a_job(gateway) is None

    await eventually(takes, timeout_seconds=LIMIT_SECONDS)
