import math
from datetime import timedelta
from pathlib import Path

import pytest

from headway.contract.limits import LOG_MESSAGE_MAX_CHARACTERS, WARNINGS_MAX
from headway.contract.recipes import Phase, TransientFailure
from headway.testing.clock import ManualClock
from headway.testing.toy_recipe import ToySpec
from tests.attempt_runs import an_order
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import InputFile
from trainer_host.executor.attempts import LOG_LINES_KEPT, Attempt, AttemptSession
from trainer_host.reports import MemoryReport


def a_session(folder: Path, clock: ManualClock) -> tuple[AttemptSession, MemoryReport]:
    report = MemoryReport()
    attempt = Attempt(an_order(folder, ToySpec().job_spec()), CancellationToken())
    return AttemptSession(attempt, report, clock), report


async def test_progress_is_throttled_to_ten_a_second(tmp_path: Path, clock: ManualClock) -> None:
    session, report = a_session(tmp_path, clock)
    session.step("Training", Phase.TRAINING)

    for step in range(1000):
        session.progress(Phase.TRAINING, "step", step=step, total_steps=10_000)
        await clock.advance(0.001)

    assert 10 <= len(report.progresses) <= 12


async def test_the_last_step_and_a_new_phase_are_always_told(tmp_path: Path, clock: ManualClock) -> None:
    session, report = a_session(tmp_path, clock)

    session.progress(Phase.TRAINING, "first", step=1, total_steps=3)
    session.progress(Phase.TRAINING, "dropped", step=2, total_steps=3)
    session.progress(Phase.TRAINING, "last", step=3, total_steps=3)
    session.progress(Phase.EVALUATING, "new phase")

    assert [progress.message for progress in report.progresses][-2:] == ["last", "new phase"]


async def test_rate_and_expected_time_come_from_the_phase(tmp_path: Path, clock: ManualClock) -> None:
    session, report = a_session(tmp_path, clock)
    session.step("Loading", Phase.LOADING_DATA)
    await clock.advance(60)
    session.step("Training", Phase.TRAINING)
    await clock.advance(2)

    session.progress(Phase.TRAINING, "step", step=10, total_steps=40, num_samples=640, loss=0.5)

    progress = report.progresses[-1]
    assert (progress.samples_per_second, progress.eta_seconds) == (320.0, 6.0)
    assert progress.loss == 0.5
    assert math.isnan(progress.best_loss)
    assert progress.memory_bytes > 0
    assert progress.measure_time == (clock.now()).timestamp()


def test_the_attempt_knows_its_newest_step_even_when_the_report_is_dropped(tmp_path: Path, clock: ManualClock) -> None:
    session, _ = a_session(tmp_path, clock)
    for step in range(5):
        session.progress(Phase.TRAINING, "step", step=step, total_steps=100)
    assert session.attempt.num_steps_done == 4


def test_a_line_and_the_number_of_warnings_are_bounded(tmp_path: Path, clock: ManualClock) -> None:
    session, report = a_session(tmp_path, clock)
    for _ in range(WARNINGS_MAX + 5):
        session.warn("x" * (LOG_MESSAGE_MAX_CHARACTERS + 1))

    assert len(session.warnings) == WARNINGS_MAX
    assert {len(line.message) for line in report.lines} == {LOG_MESSAGE_MAX_CHARACTERS}


def test_the_bundles_log_is_bounded(tmp_path: Path, clock: ManualClock) -> None:
    session, report = a_session(tmp_path, clock)
    for _ in range(LOG_LINES_KEPT + 5):
        session.detail("line")
    assert len(session.lines) == LOG_LINES_KEPT
    assert len(report.lines) == LOG_LINES_KEPT + 5


async def test_the_duration_is_monotonic(tmp_path: Path, clock: ManualClock) -> None:
    session, _ = a_session(tmp_path, clock)
    clock.set_wall(clock.now() - timedelta(days=1))
    await clock.advance(3)
    assert session.elapsed_seconds == 3


def test_inputs_are_found_by_the_beginning_of_their_roles(tmp_path: Path, clock: ManualClock) -> None:
    roles = ("table", "teacher.0/model.json", "teacher.0/a/b.json", "teacher.1/model.json", "teacher.10/model.json")
    files = []
    for place, role in enumerate(roles):
        path = tmp_path / f"input-{place}"
        path.write_text(role)
        files.append(InputFile(role=role, path=str(path), digest=f"sha256:{place:064}", size_bytes=1, format="json"))
    order = an_order(tmp_path / "work", ToySpec().job_spec(), inputs=tuple(files))
    session = AttemptSession(Attempt(order, CancellationToken()), MemoryReport(), clock)

    found = session.inputs("teacher.0/")

    assert {name: item.path.read_text() for name, item in found.items()} == {
        "model.json": "teacher.0/model.json",
        "a/b.json": "teacher.0/a/b.json",
    }
    assert found["model.json"].digest == f"sha256:{1:064}"
    assert list(session.inputs("teacher.1/")) == ["model.json"]
    assert session.inputs("teacher.2/") == {}
    assert session.input("table").digest == f"sha256:{0:064}"


def test_an_input_that_has_gone_is_no_fault_of_the_user(tmp_path: Path, clock: ManualClock) -> None:
    gone = InputFile(role="teacher.0/model.json", path=str(tmp_path / "gone"), digest="sha256:0", size_bytes=1)
    order = an_order(tmp_path / "work", ToySpec().job_spec(), inputs=(gone,))
    session = AttemptSession(Attempt(order, CancellationToken()), MemoryReport(), clock)

    with pytest.raises(TransientFailure, match=r"teacher\.0/model\.json is no longer on this host"):
        session.inputs("teacher.0/")
