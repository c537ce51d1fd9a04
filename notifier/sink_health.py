"""Health of each sink, `headway.notifier.<sink>`: green while every part of the way to people works.

An outage there turns it red; "" stays green, because the process is well.
"""

from collections.abc import Awaitable, Callable

from headway.runtime.logs import get_logger

_log = get_logger(__name__)


def health_name(sink: str) -> str:
    """What the health check calls a sink."""
    return f"headway.notifier.{sink}"


class SinkHealth:
    """What each part of a sink has said last. A sink with several parts is as well as the worst of them."""

    def __init__(self, set_serving: Callable[[str, bool], Awaitable[None]]) -> None:
        """Args: set_serving: of the health service; gets the name and whether it is well."""
        self._set_serving = set_serving
        self._ill: dict[str, set[str]] = {}

    async def report(self, sink: str, *, is_well: bool, part: str = "delivery") -> None:
        """Take note of one part.

        Args:
            sink: its name.
            is_well: whether the part works.
            part: what reports, such as `delivery` or `gateway`.
        """
        ill = self._ill.setdefault(sink, set())
        if is_well:
            ill.discard(part)
        else:
            ill.add(part)
        await self._set_serving(health_name(sink), not ill)
