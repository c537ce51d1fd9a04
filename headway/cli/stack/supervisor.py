"""Starts the services, restarts what dies, stops all in order; nothing outlives it."""

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from headway.cli.stack.process import ServiceProcess
from headway.cli.stack.readiness import is_ready
from headway.cli.stack.restarts import GiveUp, Life, RestartPolicy, decide, describe_exit
from headway.cli.stack.services import NATS, ServicePlan, StackOptions
from headway.cli.stack.store_watch import StoreWatch
from headway.runtime.clock import Clock

_STOP_SECONDS_BY_RANK = {0: 6.0, 1: 2.5, 2: 1.0}
"""How long services of a rank may take to stop before they are killed; under ten seconds in all."""
_READY_POLL_SECONDS = 0.05


class Condition(Enum):
    """How a service is."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know about a service."""

    service: str
    text: str


class CannotStart(Exception):
    """A service was given up and everything stopped.

    Attributes:
        service: which.
        reason: why, in words.
    """

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} does not start: {reason}")
        self.service = service
        self.reason = reason


class Supervisor:
    """Runs the services of one machine: `run` is its whole life; `wait_ready` and `stop` are called beside it."""

    def __init__(
        self,
        plans: Sequence[ServicePlan],
        options: StackOptions,
        clock: Clock,
        *,
        tell: Callable[[Notice], None],
        policy: RestartPolicy | None = None,
    ) -> None:
        self._plans = tuple(plans)
        self._options = options
        self._clock = clock
        self._tell = tell
        self._policy = policy or RestartPolicy()
        self._stopping = asyncio.Event()
        self._killing = asyncio.Event()
        self._all_ready = asyncio.Event()
        self._failure: CannotStart | None = None
        self._processes: dict[str, ServiceProcess] = {}
        self.conditions = dict.fromkeys((plan.name for plan in plans), Condition.STARTING)

    async def run(self) -> None:
        """Keep every service running until `stop`; returns when all have ended.

        Raises:
            CannotStart: a service was given up.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for plan in self._plans:
                    group.create_task(self._keep(plan), name=f"keep {plan.name}")
                group.create_task(self._store_watch().run(self._stopping), name="watch the store")
                group.create_task(self._end_in_order(), name="end in order")
        finally:
            self._kill_all()
            self._options.home.run_file.unlink(missing_ok=True)
        if self._failure is not None:
            raise self._failure

    async def wait_ready(self, limit_seconds: float) -> bool:
        """Wait until every service is ready, or the supervisor stops; returns whether all are ready."""
        await self._clock.wait_for_event(self._all_ready, limit_seconds)
        return all(condition is Condition.READY for condition in self.conditions.values())

    def stop(self) -> None:
        """Begin to stop everything in order."""
        self._stopping.set()
        self._all_ready.set()

    def kill(self) -> None:
        """Stop everything at once."""
        self._killing.set()
        self.stop()

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called, or a service given up."""
        return self._stopping.is_set()

    def pid_of(self, service: str) -> int | None:
        """The present process of a service; None when it is not running."""
        process = self._processes.get(service)
        return process.pid if process is not None and process.is_alive else None

    async def _keep(self, plan: ServicePlan) -> None:
        life = Life()
        while not self._stopping.is_set():
            life = replace(life, start_time=self._clock.monotonic())
            process = await ServiceProcess.start(plan, self._options.home.log_file(plan.name))
            self._processes[plan.name] = process
            try:
                self._write_run_file()
            except OSError as error:
                # A full disk must not end what runs: the file is for those who look at it.
                self._tell(Notice(plan.name, f"runs, but run.json cannot be written: {error.strerror}"))
            life = replace(life, was_ready=await self._until_ready(plan, process) or life.was_ready)
            exit_code = await process.wait()
            if not self._stopping.is_set():
                life = await self._after_death(plan, life, exit_code)
        self.conditions[plan.name] = Condition.STOPPED

    async def _until_ready(self, plan: ServicePlan, process: ServiceProcess) -> bool:
        """Wait until a process is ready or has ended; returns whether it is ready."""
        if self._stopping.is_set():
            process.terminate()
        while process.is_alive:
            if await self._is_ready(plan, process):
                self.conditions[plan.name] = Condition.READY
                if all(condition is Condition.READY for condition in self.conditions.values()):
                    self._all_ready.set()
                return True
            await self._clock.sleep(_READY_POLL_SECONDS)
        return False

    async def _is_ready(self, plan: ServicePlan, process: ServiceProcess) -> bool:
        return await is_ready(plan, process.pid, run_folder=self._options.home.run, monitor_url=self._monitor_url)

    @property
    def _monitor_url(self) -> str:
        return f"http://127.0.0.1:{self._options.ports.nats_monitor}"

    def _store_watch(self) -> StoreWatch:
        def restart() -> None:
            if (process := self._processes.get(NATS)) is not None:
                process.terminate()

        def tell(text: str) -> None:
            self._tell(Notice(NATS, text))

        return StoreWatch(self._monitor_url, self._options.home.root / "nats", restart, tell, self._clock)

    async def _after_death(self, plan: ServicePlan, life: Life, exit_code: int) -> Life:
        self.conditions[plan.name] = Condition.RESTARTING
        verdict = decide(self._policy, life, exit_code, now=self._clock.monotonic())
        if isinstance(verdict, GiveUp):
            self._failure = self._failure or CannotStart(plan.name, verdict.reason)
            self.stop()
            return life
        text = f"ended with {describe_exit(exit_code)}; starting it again in {verdict.wait_seconds:g} s"
        self._tell(Notice(plan.name, text))
        await self._clock.wait_for_event(self._stopping, verdict.wait_seconds)
        return verdict.life

    async def _end_in_order(self) -> None:
        await self._stopping.wait()
        for rank in sorted({plan.stop_rank for plan in self._plans}):
            ending = [one for one in self._processes.values() if one.plan.stop_rank == rank and one.is_alive]
            for process in ending:
                process.terminate()
            await self._wait_for_ends(ending, _STOP_SECONDS_BY_RANK[rank])
        self._kill_all()

    async def _wait_for_ends(self, ending: Sequence[ServiceProcess], limit_seconds: float) -> None:
        deadline = self._clock.monotonic() + limit_seconds
        while any(process.is_alive for process in ending):
            late = self._clock.monotonic() >= deadline
            if late or self._killing.is_set():
                for process in ending:
                    if process.is_alive:
                        self._tell(Notice(process.plan.name, "did not stop in time; killed"))
                        process.kill()
                return
            await self._clock.wait_for_event(self._killing, 0.02)

    def _kill_all(self) -> None:
        for process in self._processes.values():
            process.kill()

    def _write_run_file(self) -> None:
        """Addresses and pids for other programs; whole or not at all, because they read it at any time."""
        run_file = self._options.home.run_file
        draft = run_file.with_suffix(".draft")
        draft.write_text(json.dumps(self._describe(), indent=2), encoding="utf-8")
        draft.replace(run_file)

    def _describe(self) -> dict[str, object]:
        ports = self._options.ports
        services = {
            plan.name: {"pid": self.pid_of(plan.name), "address": plan.address, "log": f"logs/{plan.name}.log"}
            for plan in self._plans
        }
        return {
            "pid": os.getpid(),
            "gateway_address": f"127.0.0.1:{ports.gateway}",
            "scheduler_address": f"127.0.0.1:{ports.scheduler}",
            "nats_url": f"nats://127.0.0.1:{ports.nats}",
            "nats_monitor_url": f"http://127.0.0.1:{ports.nats_monitor}",
            "data_root": str(self._options.data_root),
            "services": services,
        }
