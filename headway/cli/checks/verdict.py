"""What one check found."""

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """How a thing is."""

    OK = "ok"
    FAIL = "fail"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the doctor.

    Attributes:
        what: was looked at.
        health: what was found; a note is no fault.
        detail: what is, in words.
        fix: what to do about a fault; empty for none.
        is_reachability: whether the fault is that something does not answer.
    """

    what: str
    health: Health
    detail: str
    fix: str = ""
    is_reachability: bool = False


def ok(what: str, detail: str) -> Verdict:
    """All is well."""
    return Verdict(what, Health.OK, detail)


def fail(what: str, detail: str, fix: str) -> Verdict:
    """Something must be done."""
    return Verdict(what, Health.FAIL, detail, fix)


def away(what: str, detail: str, fix: str) -> Verdict:
    """Something does not answer."""
    return Verdict(what, Health.FAIL, detail, fix, is_reachability=True)


def note(what: str, detail: str, fix: str = "") -> Verdict:
    """Worth knowing, and no fault."""
    return Verdict(what, Health.NOTE, detail, fix)
