"""What every error of headway carries: a reason, a gRPC code, a message, field violations, a retry delay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import ClassVar

ECHO_LIMIT_CHARACTERS = 64


class Code(IntEnum):
    """Canonical status codes, numbered as in google.rpc.Code."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of one field.

    Attributes:
        field: snake_case path from the request's root, such as `job.spec.tabular_train.epochs`.
        reason: UPPER_SNAKE_CASE word for programs.
        message: a sentence for people.
        allowed: the allowed range, pattern or list in words; empty where none applies.
        suggested: a value that would pass, as text; empty where none is known.
    """

    field: str
    reason: str
    message: str
    allowed: str = ""
    suggested: str = ""

    def __str__(self) -> str:
        """The violation as one line: field, message, allowed range, suggestion."""
        tail = "".join(
            f" ({label}: {text})" for label, text in (("allowed", self.allowed), ("try", self.suggested)) if text
        )
        return f"{self.field}: {self.message}{tail}"


class HeadwayError(Exception):
    """The root of every error that a caller may see.

    Attributes:
        reason: UPPER_SNAKE_CASE word for programs, unique to the class.
        code: the gRPC status code on the wire.
        retryable: whether the same call can succeed later without a change.
    """

    reason: ClassVar[str] = "INTERNAL"
    code: ClassVar[Code] = Code.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        """Describe one occurrence.

        Args:
            message: a sentence that names the thing at fault and the remedy.
            violations: the faults field by field, all of one validation step.
            metadata: every dynamic value of the message, for programs.
            retry_after: how long to wait before the same call; None where a retry is pointless.
        """
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


def echo(text: object) -> str:
    """A caller's value made safe to repeat: escaped, quoted, cut at 64 characters."""
    escaped = str(text)[: ECHO_LIMIT_CHARACTERS + 1].encode("unicode_escape", "backslashreplace").decode("ascii")
    cut = escaped if len(escaped) <= ECHO_LIMIT_CHARACTERS else escaped[:ECHO_LIMIT_CHARACTERS] + "..."
    return f"'{cut}'"
