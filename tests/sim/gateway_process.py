"""The gateway's part: wishes, commits and the registration of models, by the code that runs in production."""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.bucket_index import BucketIndex
from gateway.claims import Claim
from gateway.commit import Commits
from gateway.job_view import JobViews
from gateway.registrar import Registrar
from gateway.registrations import Registrations
from gateway.steering import Steering
from headway.contract.errors import HeadwayError
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName
from headway.contract.subjects import MODELS
from headway.runtime.feeds import Message
from headway.runtime.principal import Principal
from headway.runtime.records import RecordError
from headway.v1.jobs_pb2 import Bundle, Progress, ResultSummary
from headway.v1.jobs_service_pb2 import CancelJobRequest, PauseJobRequest, ResumeJobRequest, SetJobPriorityRequest
from headway.v1.records_pb2 import JobRecord, ModelRecord
from tests.sim.routine import Routine, SimulatedClock
from tests.sim.spawner import NoSpawner
from tests.sim.store import Link, SimulatedBus, SimulatedRecords, Table

P = ParamSpec("P")
T = TypeVar("T")
CALLER = Principal(key_id="k", user_id="ada", scopes=frozenset({"admin"}), projects=frozenset({"*"}))


class _Views:
    """Nobody has progress, and no host is asked about."""

    def progress_of(self, job_id: str) -> Progress | None:
        return None

    def live(self) -> Sequence[HostFacts]:
        return ()


class _Threads(DiskThreads):
    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)


class _Registrations(Registrations):
    """Carried out where they are asked for: the simulator decides when a process dies."""

    async def carry_out(self, project: str, commit: Coroutine[object, object, T]) -> T:
        return await commit


_THREADS = _Threads()
_BLOBS = BlobStore(Path("/nowhere"), BlobSettings())
_VIEWS = _Views()


class GatewayProcess:
    """One start of the gateway, with the calls that are under way."""

    def __init__(
        self, jobs: Table[JobRecord], models: Table[ModelRecord], bus: SimulatedBus, clock: SimulatedClock
    ) -> None:
        self.link = Link("gateway")
        self._calls: list[tuple[Callable[[], None], Callable[[], None], Callable[[], bool]]] = []
        self.records = SimulatedRecords(jobs, self.link)
        model_records = SimulatedRecords(models, self.link)
        index = BucketIndex(bus, MODELS, ModelRecord, clock)
        self._registrar = Registrar(bus, self.records, model_records, index, clock, clean=str)
        registrations = _Registrations(self._registrar, NoSpawner())
        self._commits = Commits(self.records, _BLOBS, registrations, _THREADS, clock)
        self._steering = Steering(self.records, JobViews(_VIEWS, _VIEWS, clock), clock)

    @property
    def num_calls(self) -> int:
        return len(self._calls)

    def start(self, work: Coroutine[object, None, T], on_end: Callable[[Routine[T]], None]) -> None:
        """Begin a call; the caller hears of its end, unless the gateway dies first."""
        routine = Routine(work)

        def step() -> None:
            routine.step()
            if routine.is_over:
                error = routine.error
                assert error is None or isinstance(error, HeadwayError | RecordError), f"P32: an answer of {error!r}"
                on_end(routine)

        self._calls.append((step, routine.kill, lambda: routine.is_over))
        self.step(len(self._calls) - 1)

    def step(self, index: int) -> None:
        """Let one of the calls go on to its next pause."""
        step, _, is_over = self._calls[index]
        if not is_over():
            step()
        self._calls = [call for call in self._calls if not call[2]()]

    def run(self) -> None:
        """Let every call go on to its end."""
        while self._calls:
            self.step(len(self._calls) - 1)

    def kill(self) -> None:
        """Nobody hears an answer any more."""
        for _, kill, _ in self._calls:
            kill()
        self._calls.clear()

    def cancel(self, job: str) -> "Coroutine[object, None, object]":
        return self._steering.cancel(CancelJobRequest(name=job), CALLER)

    def pause(self, job: str) -> "Coroutine[object, None, object]":
        return self._steering.pause(PauseJobRequest(name=job), CALLER)

    def resume(self, job: str) -> "Coroutine[object, None, object]":
        return self._steering.resume(ResumeJobRequest(name=job), CALLER)

    def prioritise(self, job: str, priority: int) -> "Coroutine[object, None, object]":
        return self._steering.set_priority(SetJobPriorityRequest(name=job, priority=priority), CALLER)

    def commit(self, job: str, attempt: int, host: str, digest: str, score: float) -> "Coroutine[object, None, object]":
        claim = Claim(job=JobName.parse(job), attempt=attempt, host=host)
        summary = ResultSummary(metrics={"score": score})
        return self._commits.commit_result(claim, Bundle(digest=digest), summary)

    def checkpoint(
        self, job: str, attempt: int, host: str, step: int, digest: str
    ) -> "Coroutine[object, None, object]":
        claim = Claim(job=JobName.parse(job), attempt=attempt, host=host)
        return self._commits.commit_checkpoint(claim, step, Bundle(digest=digest))

    def repair(self, message: Message) -> "Coroutine[object, None, object]":
        """What the gateway does for each completed job, besides the commit's own registration."""
        return self._registrar._repair(message)
