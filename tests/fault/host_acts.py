"""What tests of hosts that fail look at and wait for."""

from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, Job
from tests.fault.cluster import FaultCluster
from tests.fault.final_state import Step, read_steps
from tests.fault.process import Proc

TOY = ToySpec(num_steps=40, step_seconds=0.02)


def holder(cluster: FaultCluster, job: Job) -> Proc:
    """The host that a job runs on."""
    return next(host for host in cluster.hosts if job.host == f"hosts/{host.name}")


def others(cluster: FaultCluster, victim: Proc) -> list[Proc]:
    return [host for host in cluster.hosts if host is not victim]


def steps_of(cluster: FaultCluster, job: Job) -> list[Step]:
    return read_steps(cluster.plan.steps_dir).get(job.request_id, [])


def what_was_learned(job: Job) -> str:
    """Digest of what the toy learned, part of it by luck: equal where nothing was lost and nothing done twice."""
    return next(file.digest for file in job.result.bundle.artifacts if file.path == "toy.json")


def outcomes(job: Job) -> list[int]:
    return [attempt.outcome for attempt in job.attempts]


async def running(cluster: FaultCluster, job: str, *, step: int = 0) -> Job:
    """Wait until a job trains and has a checkpoint of this step."""
    return await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING and one.checkpoint.step >= step)
