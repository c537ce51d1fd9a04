"""The `order_by` of a list: which column, which way."""

from dataclasses import dataclass

from headway.contract.errors import InvalidFilter, Violation, echo

ORDER_FIELDS = ("create_time", "end_time", "priority", "state")


@dataclass(frozen=True, slots=True)
class Order:
    """A column and a direction; the time of creation and then the job id break ties the same way.

    Attributes:
        column: one of ORDER_FIELDS.
        is_descending: greatest first.
    """

    column: str
    is_descending: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The numbers that the list is ordered by; the job id comes last of all."""
        return ("create_time",) if self.column == "create_time" else (self.column, "create_time")

    def __str__(self) -> str:
        """As a caller would write it."""
        return f"{self.column} desc" if self.is_descending else self.column


NEWEST_FIRST = Order("create_time", is_descending=True)


def parse_order(text: str) -> Order:
    """Read an `order_by`; empty means newest first.

    Raises:
        InvalidFilter: not a known field, optionally followed by `asc` or `desc`.
    """
    words = text.split()
    if not words:
        return NEWEST_FIRST
    field, direction = words[0], words[1].lower() if len(words) > 1 else "asc"
    if field in ORDER_FIELDS and direction in {"asc", "desc"} and len(words) <= 2:
        return Order(field, direction == "desc")
    allowed = f"one of {', '.join(ORDER_FIELDS)}, optionally followed by desc"
    message = f"cannot order by {echo(text)}"
    raise InvalidFilter(message, violations=[Violation("order_by", InvalidFilter.reason, message, allowed)])
