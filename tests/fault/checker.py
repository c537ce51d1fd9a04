"""The one checker of all fault tests: what was promised, held against what was seen and what is left. Pure.

Its clauses:
(a) acknowledged submissions are jobs;
(b) a request id has one job at most;
(c) a job that succeeded has exactly one result, whose bytes have their digest, and one model version if it saves one;
(d) a terminal state is final;
(e) attempts strictly increase, and the committed one is the last;
(f) each watcher was told a gap-free prefix;
(g) no orphan, part or temporary file is left;
(h) no planted secret stands in a log;
(i) each attempt goes on from the newest checkpoint that was committed before its claim or from a later one, so that it
    repeats at most an interval and what was done while a checkpoint was on its way; no step is left out.

What a caller knows nothing of, for the connection broke, may be either.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from headway.contract.states import is_terminal
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_SUCCEEDED, JOB_STATE_SUCCEEDED, Job, JobState
from tests.fault.final_state import FinalState, Step
from tests.fault.history import History, Outcome, Watching

CLAIMED = "claimed"
COMMITTED = "committed"


def find_faults(history: History, final: FinalState) -> list[str]:
    """Every fault as a sentence that begins with its clause; empty when all promises were kept."""
    clauses = (
        _acked_are_jobs(history, final),
        _one_job_a_request(history, final),
        *(_one_result(job, final) for job in final.jobs),
        _terminal_is_final(history, final),
        *(_attempts_increase(job) for job in final.jobs),
        *(_gap_free(watching, final) for watching in history.watches),
        (f"(g) an orphan is left: {orphan}" for orphan in final.orphans),
        (f"(g) a file is left: {path}" for path in final.litter),
        (f"(h) a secret stands in a log: {leak}" for leak in final.leaks),
        *(_little_repeated(job, history, final) for job in final.jobs),
    )
    return [fault for clause in clauses for fault in clause]


def _acked_are_jobs(history: History, final: FinalState) -> Iterator[str]:
    names = {job.name for job in final.jobs}
    for call in history.acked_submits:
        if call.job not in names:
            yield f"(a) an acknowledged submission is lost: {call.job}"


def _one_job_a_request(history: History, final: FinalState) -> Iterator[str]:
    found: dict[str, set[str]] = defaultdict(set)
    for job in final.jobs:
        found[job.request_id].add(job.name)
    told: dict[str, set[str]] = defaultdict(set)
    for call in history.acked_submits:
        told[call.request_id].add(call.job)
    for request_id in sorted((found.keys() | told.keys()) - {""}):
        names = found[request_id] | told[request_id]
        if len(names) > 1:
            yield f"(b) one request id has {len(names)} jobs: {', '.join(sorted(names))}"
    outcomes: dict[str, set[Outcome]] = defaultdict(set)
    for call in history.of("create"):
        outcomes[call.request_id].add(call.outcome)
    for request_id, known in outcomes.items():
        if known == {Outcome.FAIL} and found[request_id]:
            yield f"(b) a refused submission is a job: {', '.join(found[request_id])}"


def _one_result(job: Job, final: FinalState) -> Iterator[str]:
    versions = [version for version in final.versions if version.job == job.name]
    num_commits = sum(one.event == COMMITTED for one in job.transitions)
    if job.state != JOB_STATE_SUCCEEDED:
        if versions or num_commits:
            state = JobState.Name(job.state)
            yield f"(c) {job.name} is {state} and has {len(versions)} versions, {num_commits} commits"
        return
    if num_commits != 1 or not job.result.bundle.digest:
        yield f"(c) {job.name} succeeded with {num_commits} commits and the result {job.result.bundle.digest or 'none'}"
    wanted = 1 if job.result.model_version else 0
    if len(versions) != wanted:
        yield f"(c) {job.name} has {len(versions)} model versions instead of {wanted}"
    if any(version.bundle.digest != job.result.bundle.digest for version in versions):
        yield f"(c) the model version of {job.name} is of another result"
    for digest in (job.result.bundle.digest, *(file.digest for file in job.result.bundle.artifacts)):
        if digest in final.bad_blobs:
            yield f"(c) {job.name}: the bytes of {digest} are missing or wrong"


def _terminal_is_final(history: History, final: FinalState) -> Iterator[str]:
    jobs = {job.name: job for job in final.jobs}
    for job in final.jobs:
        for one in job.transitions:
            if is_terminal(one.from_state):
                yield f"(d) {job.name} left {JobState.Name(one.from_state)} by {one.event}"
    for name, state in sorted({(seen.job, seen.state) for seen in history.seen if is_terminal(seen.state)}):
        if name in jobs and jobs[name].state != state:
            yield f"(d) {name} was seen {JobState.Name(state)} and is {JobState.Name(jobs[name].state)}"


def _attempts_increase(job: Job) -> Iterator[str]:
    claims = [one.attempt for one in job.transitions if one.event == CLAIMED]
    for what, numbers in (("attempts", [one.number for one in job.attempts]), ("claims", claims)):
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            yield f"(e) {job.name}: {what} do not increase: {numbers}"
    if any(later.attempt < earlier.attempt for earlier, later in pairwise(job.transitions)):
        yield f"(e) {job.name}: its history goes back to an earlier attempt"
    if job.attempts and job.attempts[-1].number != job.attempt:
        yield f"(e) {job.name}: attempt {job.attempt} is current and {job.attempts[-1].number} the last"
    good = [one.number for one in job.attempts if one.outcome == ATTEMPT_OUTCOME_SUCCEEDED]
    if job.state == JOB_STATE_SUCCEEDED and not (good == [job.attempt] == [job.result.attempt]):
        yield f"(e) {job.name}: {good} succeeded, {job.result.attempt} was committed, {job.attempt} is the last"


def _gap_free(watching: Watching, final: FinalState) -> Iterator[str]:
    last = None
    for number, is_snapshot in zip(watching.numbers, watching.is_snapshot, strict=True):
        if last is None and not is_snapshot:
            yield f"(f) a watch of {watching.job} began without a snapshot"
        elif last is not None and is_snapshot and number < last:
            yield f"(f) a watch of {watching.job} went back from {last} to {number}"
        elif last is not None and not is_snapshot and number != last + 1:
            yield f"(f) a watch of {watching.job} was told {number} after {last}"
        last = number
    newest = max((job.transitions[-1].number for job in final.jobs if job.name == watching.job), default=None)
    if last is not None and newest is not None and last > newest:
        yield f"(f) a watch of {watching.job} was told {last}, and its history ends at {newest}"


def _little_repeated(job: Job, history: History, final: FinalState) -> Iterator[str]:
    steps = (final.steps or {}).get(job.request_id, [])
    for attempt in job.attempts:
        own = [one.step for one in steps if one.attempt == attempt.number]
        known = [one.checkpoint_step for one in history.seen if one.job == job.name and one.attempt < attempt.number]
        if own and min(own) <= max(known, default=0):
            yield f"(i) attempt {attempt.number} of {job.name} begins at {min(own)}, and {max(known)} was committed"
    counted = Counter(one.step for one in steps)
    missing = [step for step in range(1, int(job.result.summary.num_steps) + 1) if not counted[step]]
    if steps and job.state == JOB_STATE_SUCCEEDED and missing:
        yield f"(i) {job.name} succeeded without its steps {missing[:5]}"


def repeated_steps(job: Job, steps: list[Step]) -> list[int]:
    """For each attempt after the first, how much it did again of what was done before it was claimed.

    What an attempt does that has lost its claim (P16) is nobody's progress and is not counted.
    """
    found = []
    for attempt in job.attempts:
        own = [one.step for one in steps if one.attempt == attempt.number]
        claimed = attempt.start_time.ToNanoseconds()
        earlier = [one.step for one in steps if one.attempt < attempt.number and one.nanos <= claimed]
        if own and earlier:
            found.append(max(0, max(earlier) - min(own) + 1))
    return found
