"""Each clause of the checker is seen to bite, on a history that is made up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Artifact,
    Bundle,
    Checkpoint,
    Job,
    JobResult,
)
from headway.v1.jobs_service_pb2 import JobChange, WatchJobResponse
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord
from tests.fault.checker import find_faults, repeated_steps
from tests.fault.final_state import FinalState, Step
from tests.fault.history import Call, History, Outcome, Seen, Watching

DIGEST = "sha256:" + 64 * "a"
OTHER_DIGEST = "sha256:" + 64 * "b"
REQUEST = "request-1"
CHECKPOINT_STEP = 10
SECOND = timedelta(seconds=1)


class World:
    """A job that was lost once and then succeeded, and everything that was seen of it; a test breaks one thing."""

    def __init__(self) -> None:
        self.record = a_finished_record()
        self.history = History()
        self.history.calls = [Call("create", self.job.name, REQUEST, outcome=Outcome.OK)]
        self.history.seen = [Seen(self.job.name, JOB_STATE_RUNNING, 1, CHECKPOINT_STEP), Seen.of(self.job)]
        self.watching = watched(self.job)
        self.history.watches = [self.watching]
        version = ModelVersion(
            name=self.job.result.model_version, job=self.job.name, bundle=self.job.result.bundle, number=1
        )
        self.final = FinalState(jobs=(self.job,), versions=(version,), steps={REQUEST: steps_of(1, 1, 20)})

    @property
    def job(self) -> Job:
        return self.record.job

    def steps(self, *steps: list[Step]) -> None:
        self.final = replace(self.final, steps={REQUEST: sorted(one for some in steps for one in some)})

    def faults(self) -> list[str]:
        return find_faults(self.history, self.final)


def a_finished_record() -> JobRecord:
    """Claimed, checkpointed, lost after a second, claimed by another host, committed."""
    record = a_record()
    record.job.request_id = REQUEST
    record = a_claimed_record(record)
    checkpoint = Checkpoint(attempt=1, step=CHECKPOINT_STEP)
    record = transitions.commit_checkpoint(record, host="hosts/anton", checkpoint=checkpoint, now=A_MOMENT)
    record = transitions.lose_attempt(record, attempt=1, now=A_MOMENT + SECOND)
    record = a_claimed_record(record, host=a_host("berta"), now=A_MOMENT + SECOND)
    bundle = Bundle(digest=DIGEST, artifacts=[Artifact(path="model.bin", digest=OTHER_DIGEST, size_bytes=1)])
    result = JobResult(attempt=2, bundle=bundle, model_version="projects/demo/models/m/versions/v")
    result.summary.num_steps = 20
    return transitions.commit_result(record, host="hosts/berta", result=result, now=A_MOMENT + 2 * SECOND)


def watched(job: Job) -> Watching:
    watching = Watching(job.name)
    first = Job(name=job.name, transitions=job.transitions[:1])
    watching.note(WatchJobResponse(snapshot=first))
    for one in job.transitions[1:]:
        watching.note(WatchJobResponse(change=JobChange(transition=one, job=job)))
    return watching


def steps_of(attempt: int, first: int, last: int, *, begin_seconds: float = -10.0) -> list[Step]:
    """Steps of a second each."""
    begin = A_MOMENT.timestamp() + begin_seconds
    return [Step(int((begin + at) * 1e9), attempt, step) for at, step in enumerate(range(first, last + 1))]


@pytest.fixture
def world() -> World:
    return World()


def test_a_history_in_which_all_went_well_has_no_fault(world: World) -> None:
    assert world.faults() == []


def lose_the_job(world: World) -> None:
    world.final = replace(world.final, jobs=(), versions=())


def submit_twice(world: World) -> None:
    twin = a_record()
    twin.job.request_id = REQUEST
    world.final = replace(world.final, jobs=(world.job, twin.job))


def acknowledge_two_names(world: World) -> None:
    world.history.calls.append(Call("create", "projects/demo/jobs/other", REQUEST, outcome=Outcome.OK))


def refuse_the_submission(world: World) -> None:
    world.history.calls = [Call("create", request_id=REQUEST, outcome=Outcome.FAIL)]


def forget_the_version(world: World) -> None:
    world.final = replace(world.final, versions=())


def save_two_versions(world: World) -> None:
    world.final = replace(world.final, versions=(*world.final.versions, *world.final.versions))


def save_another_version(world: World) -> None:
    other = ModelVersion(job=world.job.name, bundle=Bundle(digest=OTHER_DIGEST))
    world.final = replace(world.final, versions=(other,))


def lose_the_bytes(world: World) -> None:
    world.final = replace(world.final, bad_blobs=frozenset({OTHER_DIGEST}))


def commit_twice(world: World) -> None:
    world.job.transitions.append(world.job.transitions[-1])


def keep_the_model_of_a_cancelled_job(world: World) -> None:
    world.job.state = JOB_STATE_CANCELLED


def leave_a_terminal_state(world: World) -> None:
    world.job.transitions.add(number=8, event="moved", from_state=JOB_STATE_SUCCEEDED, attempt=2)


def tell_another_end_before(world: World) -> None:
    world.history.seen.append(Seen(world.job.name, JOB_STATE_CANCELLED))


def repeat_an_attempt_number(world: World) -> None:
    world.job.attempts[0].number = 2


def claim_an_attempt_twice(world: World) -> None:
    claims = [one for one in world.job.transitions if one.event == "claimed"]
    claims[0].attempt = 2


def go_back_to_an_earlier_attempt(world: World) -> None:
    world.job.transitions[-1].attempt = 1


def commit_the_first_attempt(world: World) -> None:
    world.job.result.attempt = 1


def succeed_twice(world: World) -> None:
    world.job.attempts[0].outcome = world.job.attempts[1].outcome


def skip_a_transition(world: World) -> None:
    del world.watching.numbers[2], world.watching.is_snapshot[2]


def tell_a_transition_twice(world: World) -> None:
    world.watching.numbers.insert(2, world.watching.numbers[1])
    world.watching.is_snapshot.insert(2, False)


def go_back_by_a_snapshot(world: World) -> None:
    world.watching.numbers.append(1)
    world.watching.is_snapshot.append(True)


def begin_without_a_snapshot(world: World) -> None:
    world.watching.is_snapshot[0] = False


def tell_what_never_was(world: World) -> None:
    world.watching.numbers.append(world.watching.numbers[-1] + 1)
    world.watching.is_snapshot.append(False)


def leave_a_process(world: World) -> None:
    world.final = replace(world.final, orphans=("python -m trainer_host",))


def leave_a_part(world: World) -> None:
    world.final = replace(world.final, litter=("gateway/home/gateway/blobs/demo/incoming/1.part",))


def log_a_secret(world: World) -> None:
    world.final = replace(world.final, leaks=("gateway.log: hw_live_...",))


def begin_before_the_checkpoint(world: World) -> None:
    world.steps(steps_of(1, 1, 12, begin_seconds=-11), steps_of(2, CHECKPOINT_STEP, 20, begin_seconds=1))


def skip_a_step(world: World) -> None:
    world.steps(steps_of(1, 1, 12, begin_seconds=-11), steps_of(2, 14, 20, begin_seconds=1))


BITES: dict[str, tuple[str, Callable[[World], None]]] = {
    bite.__name__: (clause, bite)
    for clause, bite in (
        ("(a)", lose_the_job),
        ("(b)", submit_twice),
        ("(b)", acknowledge_two_names),
        ("(b)", refuse_the_submission),
        ("(c)", forget_the_version),
        ("(c)", save_two_versions),
        ("(c)", save_another_version),
        ("(c)", lose_the_bytes),
        ("(c)", commit_twice),
        ("(c)", keep_the_model_of_a_cancelled_job),
        ("(d)", leave_a_terminal_state),
        ("(d)", tell_another_end_before),
        ("(e)", repeat_an_attempt_number),
        ("(e)", claim_an_attempt_twice),
        ("(e)", go_back_to_an_earlier_attempt),
        ("(e)", commit_the_first_attempt),
        ("(e)", succeed_twice),
        ("(f)", skip_a_transition),
        ("(f)", tell_a_transition_twice),
        ("(f)", go_back_by_a_snapshot),
        ("(f)", begin_without_a_snapshot),
        ("(f)", tell_what_never_was),
        ("(g)", leave_a_process),
        ("(g)", leave_a_part),
        ("(h)", log_a_secret),
        ("(i)", begin_before_the_checkpoint),
        ("(i)", skip_a_step),
    )
}


@pytest.mark.parametrize("name", BITES)
def test_each_clause_bites(world: World, name: str) -> None:
    """Checker 4.3: no clause is there for show."""
    clause, bite = BITES[name]
    bite(world)
    assert clause in {fault[:3] for fault in world.faults()}


def test_what_broke_may_be_either(world: World) -> None:
    """P5: a submission whose answer was lost is a job, or it is not."""
    world.history.calls[0].outcome = Outcome.UNKNOWN
    assert world.faults() == []
    lose_the_job(world)
    world.history.watches.clear()
    assert world.faults() == []


def test_a_snapshot_in_the_middle_of_a_watch_may_skip(world: World) -> None:
    """P24: whose token has expired is told so by a snapshot, never by silence."""
    world.watching.is_snapshot[3] = True
    del world.watching.numbers[2], world.watching.is_snapshot[2]
    assert world.faults() == []


def test_what_came_after_the_checkpoint_may_be_repeated(world: World) -> None:
    """P14."""
    world.steps(steps_of(1, 1, 12, begin_seconds=-11), steps_of(2, CHECKPOINT_STEP + 1, 20, begin_seconds=1))
    assert world.faults() == []
    assert repeated_steps(world.job, (world.final.steps or {})[REQUEST]) == [2]


def test_what_a_stale_attempt_does_is_nobodys_progress(world: World) -> None:
    """P16: a host that does not know yet may go on, after the job was given to another."""
    world.steps(steps_of(1, 1, 20, begin_seconds=-11), steps_of(2, 13, 20, begin_seconds=1.5))
    assert repeated_steps(world.job, (world.final.steps or {})[REQUEST]) == [1]
