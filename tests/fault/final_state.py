"""What is left when a fault test is over: jobs, models, blobs, processes, files, logs, steps taken."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from gateway.blobs.layout import PART_SUFFIX, BlobLayout
from headway.contract.digests import hex_of
from headway.contract.errors import Code
from headway.runtime.keys import read_key_file
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import Job
from headway.v1.models_pb2 import ModelVersion
from tests.fault.plans import MARK
from trainer_host.checkpoint_files import PART_PREFIX

if TYPE_CHECKING:
    from tests.fault.cluster import FaultCluster


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step that an attempt took.

    Attributes:
        nanos: when, since 1970.
        attempt: which.
        step: which, from 1.
    """

    nanos: int
    attempt: int
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalState:
    """All that the checker looks at besides the history.

    Attributes:
        jobs: every job of the project.
        versions: every model version.
        bad_blobs: digests that a job's result names and whose bytes are missing or other.
        orphans: processes that no running service of the cluster stands for.
        litter: files that only a crash leaves, and that somebody should have swept.
        leaks: `log: secret` for each planted secret that stands in a log.
        steps: by request id, in the order in which they were taken.
    """

    jobs: tuple[Job, ...]
    versions: tuple[ModelVersion, ...] = ()
    bad_blobs: frozenset[str] = frozenset()
    orphans: tuple[str, ...] = ()
    litter: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    steps: "dict[str, list[Step]] | None" = None


async def collect(cluster: "FaultCluster") -> FinalState:
    """Look at everything; the gateway must serve."""
    jobs = await _jobs(cluster)
    versions = [version async for model in cluster.client().models.list() for version in model.versions]
    return await asyncio.to_thread(_with_the_disk, cluster, jobs, versions)


async def _jobs(cluster: "FaultCluster") -> list[Job]:
    """From the store itself, and not from the list, which may be a moment behind."""
    names = [job.name async for job in cluster.client().jobs.list(page_size=1000)]
    listed = set(names)
    names += [call.job for call in cluster.history.acked_submits if call.job not in listed]
    limit = asyncio.Semaphore(16)

    async def get(name: str) -> Job | None:
        async with limit:
            try:
                return await cluster.client().jobs.get(name)
            except RemoteError as error:
                # An acknowledged job that nobody knows is for clause (a) to tell.
                if error.code is not Code.NOT_FOUND:
                    raise
                return None

    found = await asyncio.gather(*(get(name) for name in names))
    return [job for job in found if job is not None]


def _with_the_disk(cluster: "FaultCluster", jobs: list[Job], versions: list[ModelVersion]) -> FinalState:
    blobs = BlobLayout(cluster.gateway.home / "gateway" / "blobs")
    secrets = [read_key_file(cluster.plan.key_path), *cluster.plan.secrets]
    return FinalState(
        jobs=tuple(jobs),
        versions=tuple(versions),
        bad_blobs=frozenset(find_bad_blobs(blobs, jobs)),
        orphans=tuple(_orphans(cluster)),
        litter=tuple(str(path.relative_to(cluster.folder)) for path in _litter(cluster)),
        leaks=tuple(find_leaks(sorted(cluster.folder.rglob("*.log")), secrets)),
        steps=read_steps(cluster.plan.steps_dir),
    )


def find_bad_blobs(blobs: BlobLayout, jobs: Iterable[Job]) -> list[str]:
    """Digests that results name and whose bytes, read again, are not those."""
    bundles = {(job.name.split("/")[1], job.result.bundle.digest): job.result.bundle for job in jobs}
    named = {(project, file.digest) for (project, _), bundle in bundles.items() for file in bundle.artifacts}
    named |= {(project, digest) for project, digest in bundles if digest}
    return [digest for project, digest in sorted(named) if not _is_whole(blobs.blob(project, digest), digest)]


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == hex_of(digest)


def processes_of(mark: str) -> list[psutil.Process]:
    """Every living process that was started, by whomever, on behalf of one cluster."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _orphans(cluster: "FaultCluster") -> list[str]:
    stood_for = {proc.pid for proc in cluster.procs if proc.is_alive}
    for proc in cluster.procs:
        if proc.is_alive:
            stood_for |= {child.pid for child in proc.descendants()}
    left = [process for process in processes_of(cluster.plan.mark) if process.pid not in stood_for]
    return [str(process) for process in left]


def _litter(cluster: "FaultCluster") -> list[Path]:
    try:
        return _left_behind(cluster)
    except FileNotFoundError as error:
        # A folder was swept while it was looked through: there was something, and the next look may find nothing.
        return [Path(error.filename)]


def _left_behind(cluster: "FaultCluster") -> list[Path]:
    found = list((cluster.gateway.home / "gateway" / "blobs").rglob(f"*{PART_SUFFIX}"))
    # One that is dead sweeps when it is started again.
    for host in (one for one in cluster.hosts if one.is_alive):
        own = host.home / "hosts" / host.name
        found += [*own.glob("work/*"), *own.glob("outbox/results/*"), *own.glob("outbox/trash/*")]
        found += [*own.glob(f"**/{PART_PREFIX}*"), *own.glob(f"**/*{PART_SUFFIX}")]
    return found


def find_leaks(logs: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Secrets that stand in logs."""
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in logs}
    return [f"{path.name}: {secret[:8]}..." for secret in secrets for path, text in texts.items() if secret in text]


def read_steps(folder: Path) -> dict[str, list[Step]]:
    """The steps that toys counted, by the name of their file."""
    if not folder.is_dir():
        return {}
    return {path.name: sorted(_steps_of(path.read_text(encoding="ascii"))) for path in folder.iterdir()}


def _steps_of(text: str) -> Iterable[Step]:
    for line in text.splitlines():
        attempt, step, nanos = map(int, line.split())
        yield Step(nanos, attempt, step)
