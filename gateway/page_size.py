"""How many entries a page has, by AIP-158."""

from headway.contract.errors import OutOfRange, Violation
from headway.contract.limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX


def page_size(asked: int) -> int:
    """The size of a page: 0 means the default, and too many means the most.

    Raises:
        OutOfRange: negative.
    """
    if asked >= 0:
        return min(asked or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    message = f"{asked} is out of range"
    allowed = f"0 to {PAGE_SIZE_MAX}; 0 means {PAGE_SIZE_DEFAULT}"
    suggested = str(PAGE_SIZE_DEFAULT)
    raise OutOfRange(message, violations=[Violation("page_size", OutOfRange.reason, message, allowed, suggested)])
