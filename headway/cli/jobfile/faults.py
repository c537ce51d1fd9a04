"""What is wrong with a job file: the same error shape as the gateway's, plus the line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from headway.contract.errors import InvalidArgument, Violation


class InvalidJobFile(InvalidArgument):
    """A job file cannot be read, or does not have the shape of a job."""

    reason = "JOB_FILE"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a job file.

    Attributes:
        path: dotted path of the field, such as `tabular_train.epochs`; empty for the whole file.
        line: from 1; 0 where not known.
        message: a sentence for people.
        allowed: what may stand there; empty where the message says it all.
        suggested: what was probably meant; empty where nothing comes near.
    """

    path: str
    line: int
    message: str
    allowed: str = ""
    suggested: str = ""


def refuse(source: str, faults: Sequence[Fault]) -> InvalidJobFile:
    """The error for all faults of one file.

    Args:
        source: name of the file, for the message.
        faults: in the order of the file.
    """
    num = len(faults)
    return InvalidJobFile(
        f"{source} is not a job file: {faults[0].message}" if num == 1 else f"{source} has {num} faults",
        violations=[
            Violation(
                f"{source}:{fault.line} {fault.path}".rstrip() if fault.line else fault.path or source,
                InvalidJobFile.reason,
                fault.message,
                fault.allowed,
                fault.suggested,
            )
            for fault in faults
        ],
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant; empty when none comes near."""
    found = get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else ""
