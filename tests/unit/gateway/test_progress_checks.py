import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.progress_checks import clamped
from headway.contract.times import timestamp
from headway.v1.jobs_pb2 import ATTEMPT_PHASE_TRAINING, Progress

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
PROGRESSES = st.builds(
    Progress,
    attempt=INT32,
    epoch=INT32,
    total_epochs=INT32,
    step=INT64,
    total_steps=INT64,
    loss=st.floats(),
    best_loss=st.floats(),
    learning_rate=st.floats(),
    samples_per_second=st.floats(),
    memory_bytes=INT64,
    message=st.text(max_size=2000),
)


@given(PROGRESSES, PROGRESSES)
def test_whatever_a_host_says_what_is_told_could_be_true(first: Progress, second: Progress) -> None:
    before = clamped(first, None, 3, NOW)
    after = clamped(second, before, 3, NOW)
    for told in (before, after):
        assert told.attempt == 3
        assert min(told.epoch, told.total_epochs, told.step, told.total_steps, told.memory_bytes) >= 0
        assert told.learning_rate >= 0
        assert told.samples_per_second >= 0
        assert not math.isinf(told.loss)
        assert len(told.message) <= 512
        assert told.measure_time == timestamp(NOW)
    assert after.step >= before.step
    assert after.epoch >= before.epoch


def test_a_true_progress_is_told_as_it_is() -> None:
    progress = Progress(
        attempt=1,
        phase=ATTEMPT_PHASE_TRAINING,
        message="Epoch 2 of 3",
        epoch=2,
        total_epochs=3,
        step=20,
        total_steps=30,
        loss=0.5,
        best_loss=0.4,
        learning_rate=0.001,
        samples_per_second=100.0,
        memory_bytes=1000,
        measure_time=timestamp(NOW - timedelta(seconds=1)),
    )
    progress.eta.FromTimedelta(timedelta(seconds=5))
    assert clamped(progress, None, 1, NOW) == progress


def test_an_epoch_beyond_the_last_is_the_last() -> None:
    assert clamped(Progress(epoch=9, total_epochs=3, step=99, total_steps=30), None, 1, NOW).epoch == 3


def test_steps_never_go_back() -> None:
    before = clamped(Progress(step=20, total_steps=30), None, 1, NOW)
    assert clamped(Progress(step=10, total_steps=30), before, 1, NOW).step == 20


def test_no_measurement_is_from_the_future() -> None:
    progress = Progress(measure_time=timestamp(NOW + timedelta(days=1)))
    assert clamped(progress, None, 1, NOW).measure_time == timestamp(NOW)


@pytest.mark.parametrize("seconds", [-1, -(10**6)])
def test_a_negative_time_to_the_end_is_not_told(seconds: int) -> None:
    progress = Progress()
    progress.eta.FromTimedelta(timedelta(seconds=seconds))
    assert not clamped(progress, None, 1, NOW).HasField("eta")


def test_a_phase_of_a_later_version_is_left_out() -> None:
    before = clamped(Progress(phase=ATTEMPT_PHASE_TRAINING), None, 1, NOW)
    later = Progress.FromString(b"\x10\x63")  # Field 2, phase: 99.
    assert clamped(later, before, 1, NOW).phase == ATTEMPT_PHASE_TRAINING
