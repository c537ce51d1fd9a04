"""Why an attempt ends as FAILED, found out by the agent or said by the child."""

from headway.v1.jobs_pb2 import Failure, FailureClass

MEMORY_ADVICE = "ask for more resource_spec.memory_mib, or make the batches or the model smaller"


class AttemptFailed(Exception):
    """The attempt cannot go on.

    Attributes:
        failure: as the scheduler hears it.
        step: optimizer steps done.
    """

    def __init__(self, failure_class: "FailureClass.ValueType", reason: str, message: str, *, step: int = 0) -> None:
        super().__init__(message)
        self.failure = Failure(failure_class=failure_class, reason=reason, message=message)
        self.step = step
