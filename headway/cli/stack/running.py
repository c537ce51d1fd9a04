"""A whole stack as a context: up inside, down after."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from headway.cli.stack.process import last_lines
from headway.cli.stack.services import StackOptions, plan_services
from headway.cli.stack.supervisor import CannotStart, Condition, Notice, Supervisor
from headway.cli.stack.warnings import LogFollower, Tell, tell_warnings
from headway.cli.view.consoles import err
from headway.contract.errors import HeadwayError, ServiceUnavailable
from headway.runtime.clock import Clock

START_LIMIT_SECONDS = 60.0
_SHOW_SECONDS = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of what happens to the services.

    Attributes:
        notice: of deaths and restarts.
        warning: of warnings and errors in log files.
    """

    notice: Callable[[Notice], None]
    warning: Tell


@asynccontextmanager
async def running_stack(options: StackOptions, clock: Clock, listener: Listener) -> AsyncGenerator[Supervisor, None]:
    """Start every service, hand over when all are ready, stop all when left.

    SIGINT and SIGTERM cancel the task that is inside; a second one kills what has not stopped.

    Args:
        options: home, ports and data root.
        clock: of waits.
        listener: hears of deaths and warnings.

    Raises:
        HomeInUse: another supervisor runs on the home folder.
        ServiceUnavailable: a service does not start; the message ends with the last lines of its log.
        CancelledError: a signal came, or the caller was cancelled.
    """
    options.home.make()
    with options.home.held():
        supervisor = Supervisor(plan_services(options), options, clock, tell=listener.notice)
        inside = _Inside(supervisor)
        failure: BaseException | None = None
        async with asyncio.TaskGroup() as group, inside.signals():
            group.create_task(inside.live(), name="supervisor")
            warnings = group.create_task(_tell_warnings(supervisor, options, listener.warning, clock), name="warnings")
            try:
                await _wait_until_ready(supervisor, clock)
                yield supervisor
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - raised again below
                # A task group would wrap it; the services stop before it goes on.
                failure = error
            inside.is_active = False
            supervisor.stop()
            await inside.ended.wait()
            warnings.cancel()
        if inside.failure is not None:
            raise refusal(inside.failure, options)
        if failure is not None:
            raise failure


class _Inside:
    """The task that uses the stack, and what interrupts it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._task = asyncio.current_task()
        self.is_active = True
        self.ended = asyncio.Event()
        self.failure: CannotStart | None = None

    async def live(self) -> None:
        try:
            await self._supervisor.run()
        except CannotStart as error:
            self.failure = error
            self._interrupt()
        finally:
            self.ended.set()

    @asynccontextmanager
    async def signals(self) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        if self._supervisor.is_stopping:
            self._supervisor.kill()
            return
        self._interrupt()
        self._supervisor.stop()

    def _interrupt(self) -> None:
        if self._task is not None and self.is_active:
            self.is_active = False
            self._task.cancel()


async def _wait_until_ready(supervisor: Supervisor, clock: Clock) -> None:
    """Wait, and show on a terminal for what.

    Raises:
        ServiceUnavailable: it takes too long.
    """
    deadline = clock.monotonic() + START_LIMIT_SECONDS
    with err().status("starting ...") as status:
        while not await supervisor.wait_ready(_SHOW_SECONDS):
            late = [name for name, condition in supervisor.conditions.items() if condition is not Condition.READY]
            status.update(f"starting {', '.join(late)} ...")
            if supervisor.is_stopping or clock.monotonic() > deadline:
                raise ServiceUnavailable(f"{', '.join(late)} did not become ready in {START_LIMIT_SECONDS:g} s")


async def _tell_warnings(supervisor: Supervisor, options: StackOptions, tell: Tell, clock: Clock) -> None:
    follower = LogFollower({name: options.home.log_file(name) for name in supervisor.conditions})
    follower.start()
    await tell_warnings(follower, tell, clock)


def refusal(error: CannotStart, options: StackOptions) -> HeadwayError:
    """The error for a service that was given up, with the end of its log."""
    log_file = options.home.log_file(error.service)
    lines = "\n".join(f"    {line}" for line in last_lines(log_file))
    return ServiceUnavailable(f"{error}; the end of {log_file}:\n{lines}")
