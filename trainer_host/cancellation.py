"""The wish that an attempt should stop: set by one thread, looked at by another between steps."""

import threading

from headway.contract.recipes import StopRequested
from trainer_host.child_messages import StopReason


class CancellationToken:
    """Set at most once; the first reason stays, except that CANCEL and STALE overrule a milder one."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: StopReason | None = None

    @property
    def reason(self) -> StopReason | None:
        """Why to stop; None while the attempt should go on."""
        return self._reason

    def cancel(self, reason: StopReason) -> None:
        """Ask the attempt to stop at its next step; safe from any thread."""
        if self._reason is None or reason in {"CANCEL", "STALE"}:
            self._reason = reason
        self._event.set()

    def check(self) -> None:
        """Raise StopRequested when the attempt should stop. It takes some 50 ns, so a loop may call it each step."""
        if self._event.is_set() and self._reason is not None:
            raise StopRequested(self._reason)
