"""What a host may say of itself: every bound of Host and AttemptReport, checked before anything is believed. Pure."""

import re
from collections import Counter
from collections.abc import Iterator

from headway.contract import limits
from headway.contract.errors import InvalidHostState, InvalidName, Violation, echo
from headway.contract.ids import HOST_PATTERN, JobName
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    AttemptOutcome,
    FailureClass,
)
from headway.v1.scheduler_service_pb2 import AttemptReport, SynchronizeRequest
from scheduler.host_table import Word
from scheduler.snapshot import AttemptEnd

REPORTS_MAX = 1024
"""Attempts a message may list: those that run, and results that wait in the outbox."""
VIOLATIONS_MAX = 16
_BOOT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TEXT_MAX = 4096
_LABEL_MAX = 63
_FAILURE_MESSAGE_MAX = 1024
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


def read_word(request: SynchronizeRequest) -> Word:
    """A host's message, checked.

    Raises:
        InvalidHostState: with every violation found, at most 16, each with its field path.
    """
    violations = [*_host_violations(request.host), *_report_violations(request)]
    if violations:
        first = violations[0]
        raise InvalidHostState(f"{first.field}: {first.message}", violations=violations[:VIOLATIONS_MAX])
    host = Host()
    host.CopyFrom(request.host)
    for ours in ("state", "num_running", "join_time", "heartbeat_time"):
        host.ClearField(ours)
    reported = {(JobName.parse(report.job).job_id, report.attempt): report.job for report in request.attempts}
    ended = tuple(_end_of(report) for report in request.attempts if report.outcome != ATTEMPT_OUTCOME_UNSPECIFIED)
    ran = {key: _run_seconds(report) for key, report in zip(reported, request.attempts, strict=True)}
    return Word(host, reported, ended, ran)


def _end_of(report: AttemptReport) -> AttemptEnd:
    job_id = JobName.parse(report.job).job_id
    failure = report.failure
    reason = failure.reason if _REASON.fullmatch(failure.reason) else ""
    if report.outcome != ATTEMPT_OUTCOME_FAILED:
        return AttemptEnd(job_id, report.attempt, report.outcome, reason=reason, step=report.step)
    message = failure.message[:_FAILURE_MESSAGE_MAX]
    reason = reason or "ATTEMPT_FAILED"
    return AttemptEnd(job_id, report.attempt, report.outcome, failure.failure_class, reason, message, report.step)


def _run_seconds(report: AttemptReport) -> float:
    """At least 0 and at most what a job may ask for; a host with a broken clock harms its own jobs alone."""
    seconds = report.runtime.seconds + report.runtime.nanos / 1e9
    return min(max(0.0, seconds), limits.DURATION_MAX.total_seconds())


def _host_violations(host: Host) -> Iterator[Violation]:
    if not re.fullmatch(f"hosts/{HOST_PATTERN}", host.name, re.ASCII):
        yield _bad("host.name", f"{echo(host.name)} is no name of a host", f"hosts/ and {HOST_PATTERN}")
    if not _BOOT_ID.fullmatch(host.boot_id):
        yield _bad("host.boot_id", f"{echo(host.boot_id)} is no boot id", _BOOT_ID.pattern)
    if host.mode not in (EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST):
        yield _bad("host.mode", "a host is either local or remote", "EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST")
    yield from _out_of_bounds("host.num_slots", host.num_slots, 1, limits.HOST_SLOTS_MAX)
    yield from _out_of_bounds("host.num_cpu_cores", host.num_cpu_cores, 1, limits.HOST_CPU_CORES_MAX)
    yield from _out_of_bounds("host.memory_mib", host.memory_mib, 1, limits.MEMORY_MIB_MAX)
    yield from _too_long("host.torch_version", host.torch_version, _TEXT_MAX)
    yield from _too_long("host.torch_problem", host.torch_problem, _TEXT_MAX)
    yield from _too_long("host.version", host.version, _TEXT_MAX)
    yield from _too_long("host.address", host.address, _TEXT_MAX)
    if host.ByteSize() > limits.RECORD_MAX_BYTES:
        yield _bad("host", f"{host.ByteSize()} bytes are too many", f"at most {limits.RECORD_MAX_BYTES} bytes in all")
    yield from _device_violations(host)
    yield from _recipe_violations(host)
    yield from _label_violations(host)


def _device_violations(host: Host) -> Iterator[Violation]:
    yield from _too_many("host.devices", len(host.devices), limits.HOST_DEVICES_MAX)
    for index, device in enumerate(host.devices[: limits.HOST_DEVICES_MAX]):
        field = f"host.devices[{index}]"
        if not device.id:
            yield _bad(f"{field}.id", "a device needs an id", "such as cuda:0")
        yield from _too_long(f"{field}.id", device.id, _LABEL_MAX)
        yield from _too_long(f"{field}.display_name", device.display_name, _TEXT_MAX)
        yield from _out_of_bounds(f"{field}.memory_mib", device.memory_mib, 0, limits.MEMORY_MIB_MAX)


def _recipe_violations(host: Host) -> Iterator[Violation]:
    yield from _too_many("host.recipes", len(host.recipes), limits.HOST_RECIPES_MAX)
    for index, recipe in enumerate(host.recipes[: limits.HOST_RECIPES_MAX]):
        if not _KIND.fullmatch(recipe.kind):
            yield _bad(f"host.recipes[{index}].kind", f"{echo(recipe.kind)} is no kind", _KIND.pattern)
        yield from _too_long(f"host.recipes[{index}].problem", recipe.problem, _TEXT_MAX)


def _label_violations(host: Host) -> Iterator[Violation]:
    yield from _too_many("host.labels", len(host.labels), limits.HOST_LABELS_MAX)
    for key, value in sorted(host.labels.items())[: limits.HOST_LABELS_MAX]:
        yield from _too_long(f"host.labels[{echo(key)}]", max(key, value, key=len), _LABEL_MAX)


def _report_violations(request: SynchronizeRequest) -> Iterator[Violation]:
    if request.sequence < 1:
        yield _bad("sequence", "messages of a boot are counted from 1", "at least 1")
    yield from _too_many("attempts", len(request.attempts), REPORTS_MAX)
    reports = request.attempts[:REPORTS_MAX]
    seen = Counter((report.job, report.attempt) for report in reports)
    for index, report in enumerate(reports):
        field = f"attempts[{index}]"
        yield from _name_violations(f"{field}.job", report.job)
        yield from _out_of_bounds(f"{field}.attempt", report.attempt, 1, 2**31 - 1)
        yield from _out_of_bounds(f"{field}.step", report.step, 0, 2**63 - 1)
        if seen[report.job, report.attempt] > 1:
            yield _bad(field, "the attempt is listed twice", "each attempt once")
        if report.outcome not in AttemptOutcome.values():
            yield _bad(f"{field}.outcome", f"{report.outcome} is no outcome", ", ".join(AttemptOutcome.keys()))
        if report.failure.failure_class not in FailureClass.values():
            yield _bad(f"{field}.failure.failure_class", "this is no failure class", ", ".join(FailureClass.keys()))


def _name_violations(field: str, name: str) -> Iterator[Violation]:
    try:
        JobName.parse(name, field=field)
    except InvalidName as error:
        yield from (_bad(v.field, v.message, v.allowed) for v in error.violations)


def _out_of_bounds(field: str, value: int, least: int, most: int) -> Iterator[Violation]:
    if not least <= value <= most:
        yield _bad(field, f"{value} is out of bounds", f"{least} to {most}")


def _too_many(field: str, count: int, most: int) -> Iterator[Violation]:
    if count > most:
        yield _bad(field, f"{count} entries are too many", f"at most {most}")


def _too_long(field: str, text: str, most: int) -> Iterator[Violation]:
    if len(text) > most:
        yield _bad(field, f"{len(text)} characters are too many", f"at most {most} characters")


def _bad(field: str, message: str, allowed: str) -> Violation:
    return Violation(field, InvalidHostState.reason, message, allowed)
