"""Jobs as tables and lists."""

from datetime import datetime

from headway.cli.view.output import Column, Output, View, show_item
from headway.cli.view.results import result_rows, result_tables
from headway.cli.view.words import age, between, clock_time, duration_text, local_time, number_text
from headway.contract.modes import mode_name
from headway.contract.priority import base_priority
from headway.contract.states import state_name
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import Attempt, AttemptOutcome, AttemptPhase, FailureClass, Job, JobState, Transition

_STATE_STYLES = {
    "QUEUED": "cyan",
    "RUNNING": "blue",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "EVAL_FAILED": "red",
    "CANCELLED": "yellow",
}


def job_view(now: datetime) -> View[Job]:
    """The columns of `headway jobs list`."""
    return View(
        columns=(
            Column("job", lambda job: job_id(job.name)),
            Column("name", lambda job: job.spec.display_name or "-"),
            Column("kind", lambda job: job.kind),
            Column("state", lambda job: state_name(job.state), style=state_style),
            Column("progress", progress_cell),
            Column("host", lambda job: job.host.removeprefix("hosts/") or "-"),
            Column("age", lambda job: age(job.create_time, now), is_number=True),
            Column("result", result_cell),
        ),
        name=lambda job: job.name,
    )


def job_id(name: str) -> str:
    """The last part of a resource name."""
    return name.rpartition("/")[2]


def state_style(state: str) -> str:
    """The colour of a state."""
    return _STATE_STYLES.get(state, "magenta")


def progress_cell(job: Job) -> str:
    """How far a job is that a host works on; why another one waits is too long for a table."""
    if job.state not in (JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_PAUSING):
        return "-"
    if job.progress.total_steps:
        return f"{100 * job.progress.step // job.progress.total_steps}%"
    return phase_word(job.progress.phase) or "-"


def result_cell(job: Job) -> str:
    """The headline metric of a finished job, or why it failed."""
    summary = job.result.summary
    if summary.headline_metric:
        return f"{summary.headline_metric} {number_text(summary.headline_value)}"
    return job.failure.reason or "-"


def phase_word(phase: "AttemptPhase.ValueType") -> str:
    """A phase for people: `loading data`; empty for none."""
    word = AttemptPhase.Name(phase).removeprefix("ATTEMPT_PHASE_").replace("_", " ").lower()
    return "" if word == "unspecified" else word


def show_job(job: Job, output: Output) -> None:
    """Print one job: its parts, then the tables of its result."""
    show_item(job, job.name, job_rows(job), output, result_tables(job.result.summary))


def job_rows(job: Job) -> list[tuple[str, str]]:
    """What `headway jobs get` tells, row by row; empty values are left out when shown."""
    return [
        ("job", job.name),
        ("name", job.spec.display_name),
        ("state", state_name(job.state) + (f": {job.wait_reason}" if job.wait_reason else "")),
        ("kind", job.kind),
        ("data", _data(job.spec)),
        ("teacher", _teacher(job.spec)),
        ("mode", " ".join(filter(None, (mode_name(job.mode), job.fallback_reason and f"({job.fallback_reason})")))),
        ("host", job.host),
        ("priority", str(base_priority(job)) if base_priority(job) else ""),
        ("attempt", str(job.attempt) if job.attempt else ""),
        ("failure", failure_text(job)),
        ("created", local_time(job.create_time)),
        ("started", local_time(job.start_time)),
        ("ended", local_time(job.end_time)),
        ("took", between(job.start_time, job.end_time)),
        ("at work", _at_work(job)),
        ("stopped at", f"step {job.cancelled_at_step}" if job.HasField("cancelled_at_step") else ""),
        (_checkpoint_word(job), f"step {job.checkpoint.step}" if job.HasField("checkpoint") else ""),
        ("model", job.result.model_version),
        *result_rows(job.result.summary),
        ("user", job.user_id),
        ("tags", ", ".join(job.spec.tags)),
        ("attempts", "\n".join(attempt_line(one) for one in job.attempts)),
        ("history", "\n".join(transition_line(one) for one in job.transitions)),
    ]


def failure_text(job: Job) -> str:
    """Why a job failed, with who is at fault."""
    if not job.failure.reason:
        return ""
    blame = FailureClass.Name(job.failure.failure_class).removeprefix("FAILURE_CLASS_")
    return f"{job.failure.reason} ({blame}): {job.failure.message}"


def attempt_line(attempt: Attempt) -> str:
    """One attempt, and why it ended: `2  on local, 14:05:09 to 14:06:10  LOST  HOST_LOST - it was not heard of`.

    The history forgets the oldest transitions of a long job, most of them checkpoints; attempts it keeps.
    """
    outcome = AttemptOutcome.Name(attempt.outcome).removeprefix("ATTEMPT_OUTCOME_")
    is_over = attempt.HasField("end_time")
    end = f" to {clock_time(attempt.end_time)}" if is_over else ""
    words = [
        f"on {attempt.host.removeprefix('hosts/')}, {clock_time(attempt.start_time)}{end}",
        outcome if is_over else "runs",
        " - ".join(filter(None, (attempt.failure.reason, attempt.failure.message))),
    ]
    return f"{attempt.number}  {'  '.join(filter(None, words))}"


def transition_line(transition: Transition) -> str:
    """One line of a job's history: `14:05:09  RUNNING  claimed by local (attempt 1)`."""
    words = [transition.event.replace("_", " ")]
    if transition.host and transition.event == "claimed":
        words.append(f"by {transition.host.removeprefix('hosts/')}, attempt {transition.attempt}")
    if transition.reason:
        words.append(transition.reason)
    if transition.message:
        words.append(f"- {transition.message}")
    return f"{clock_time(transition.occur_time)}  {state_name(transition.to_state):<10} {' '.join(words)}"


def admission_rows(job: Job) -> list[tuple[str, str]]:
    """What `headway validate` tells."""
    found = job.admission
    return [
        ("kind", job.kind),
        ("would run", " ".join(filter(None, (mode_name(found.mode), f"on a {found.host_class} host")))),
        ("because", found.fallback_reason),
        ("steps", str(found.total_steps) if found.total_steps else "known once the data is read"),
        ("parameters", f"{found.num_parameters:,}" if found.num_parameters else ""),
        ("estimated time", duration_text(found.estimated_duration)),
        ("estimated memory", f"{found.estimated_memory_mib} MiB" if found.estimated_memory_mib else ""),
        ("passed", ", ".join(found.steps)),
        ("warnings", "\n".join(found.warnings)),
    ]


def _checkpoint_word(job: Job) -> str:
    return "partial model" if job.state == JobState.JOB_STATE_CANCELLED else "checkpoint"


def _at_work(job: Job) -> str:
    """How long its hosts have worked on it, and how long they may."""
    if not job.HasField("runtime"):
        return ""
    limit = duration_text(job.spec.policies.max_runtime)
    return duration_text(job.runtime) + (f" of {limit}" if limit else "")


def _data(spec: JobSpec) -> str:
    table = spec.tabular_distill.training if spec.HasField("tabular_distill") else spec.tabular_train
    if table.data_path:
        return table.data_path
    version = f", version {table.dataset_version}" if table.dataset_version else ""
    return f"{table.dataset}{version}" if table.dataset else ""


def _teacher(spec: JobSpec) -> str:
    """The teacher that a student learns from, as it was named; empty for other kinds."""
    distill = spec.tabular_distill
    first = distill.teacher_run_id or distill.teacher_model_path or distill.teacher_model_id
    return ", ".join(filter(None, (first, *distill.ensemble_teacher_model_ids)))
