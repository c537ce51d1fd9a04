import math
from pathlib import Path

import pytest
from google.protobuf.json_format import Parse

from headway.contract.errors import InvalidName
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, JobSpec
from headway.v1.jobs_pb2 import ATTEMPT_PHASE_TRAINING, FAILURE_CLASS_USER_INPUT
from tests.contract.host_process import toy_order
from trainer_host.child_messages import ArtifactFile, CheckpointOrder, Failed, Finished, InputFile, Progress, Summary
from trainer_host.child_translation import commit_request, failure_of, progress_of, run_message, stop_message
from trainer_host.stop_request import StopReason


def test_an_order_reaches_the_child_whole() -> None:
    order = toy_order(num_steps=7, attempt=3)
    order.mode = EXECUTION_MODE_HOST
    file = InputFile(role="table", path="/x", digest="sha256:1", size_bytes=1)
    checkpoints = CheckpointOrder(folder="/checkpoints", resume_from=("/checkpoints/7-1",), interval_steps=3)
    message = run_message(order, host="hosts/h", inputs=(file,), work_dir=Path("/work"), checkpoints=checkpoints)
    assert message.checkpoints == checkpoints
    assert (message.job, message.attempt, message.kind, message.mode) == (order.job, 3, "toy", "HOST")
    assert (message.host, message.user_id, message.work_dir, message.inputs) == ("hosts/h", "me", "/work", (file,))
    assert Parse(message.spec_json, JobSpec()) == order.spec


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_has_a_word_that_the_child_knows(reason: StopReason) -> None:
    assert stop_message(reason).reason in {"PAUSE", "CANCEL", "PREEMPT", "STALE"}


def test_progress_keeps_what_is_not_known_unknown() -> None:
    progress = progress_of(Progress(phase="TRAINING", step=3, measure_time=1.5), 2)
    assert (progress.phase, progress.attempt, progress.step) == (ATTEMPT_PHASE_TRAINING, 2, 3)
    assert math.isnan(progress.loss)
    assert not progress.HasField("eta")
    assert progress_of(Progress(phase="TRAINING", eta_seconds=2.5, measure_time=1), 1).eta.nanos == 500_000_000


def test_a_failure_keeps_its_class_and_reason() -> None:
    error = failure_of(Failed(failure_class="USER_INPUT", reason="NOT_ENOUGH_ROWS", message="3 rows", step=4))
    assert error.failure.failure_class == FAILURE_CLASS_USER_INPUT
    assert (error.failure.reason, error.failure.message, error.step) == ("NOT_ENOUGH_ROWS", "3 rows", 4)


def a_finish(path: str) -> Finished:
    file = ArtifactFile(path=path, digest="sha256:1", size_bytes=3, media_type="application/json")
    summary = Summary(task="toy", metrics={"loss": 0.5}, num_steps=3, duration_seconds=1.25, warnings=("careful",))
    return Finished(bundle_dir="/b", manifest_digest="sha256:2", artifacts=(file,), summary=summary)


def test_a_finish_becomes_what_the_gateway_commits() -> None:
    order = toy_order(attempt=2)
    request = commit_request(order, host="hosts/h", finished=a_finish("deep/manifest.json"))
    assert (request.job, request.attempt, request.host) == (order.job, 2, "hosts/h")
    assert request.bundle.digest == "sha256:2"
    [artifact] = request.bundle.artifacts
    assert (artifact.path, artifact.size_bytes) == ("deep/manifest.json", 3)
    assert request.summary.metrics["loss"] == 0.5
    assert request.summary.duration.nanos == 250_000_000
    assert list(request.summary.warnings) == ["careful"]


@pytest.mark.parametrize("path", ["../keys/local.key", "/etc/passwd", "a/../../b"])
def test_a_child_cannot_have_other_files_of_the_host_uploaded(path: str) -> None:
    with pytest.raises(InvalidName):
        commit_request(toy_order(), host="hosts/h", finished=a_finish(path))
