from rich.console import Console

from headway.cli.view.progress import Follower, draw, plain_line
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_TRAINING,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
    JobState,
    Progress,
    Transition,
)
from headway.v1.jobs_service_pb2 import Heartbeat, JobChange, WatchJobResponse

NAME = "projects/default/jobs/j" + "a" * 25


def job(state: "JobState.ValueType", *events: str) -> Job:
    transitions = [
        Transition(number=number, event=event, to_state=state, host="hosts/local", attempt=1)
        for number, event in enumerate(events, start=1)
    ]
    return Job(name=NAME, state=state, transitions=transitions, attempt=1)


def snapshot(state: "JobState.ValueType", *events: str) -> WatchJobResponse:
    return WatchJobResponse(snapshot=job(state, *events))


def change(state: "JobState.ValueType", *events: str) -> WatchJobResponse:
    return WatchJobResponse(change=JobChange(job=job(state, *events)))


def progress(step: int, loss: float = 0.5, attempt: int = 1) -> WatchJobResponse:
    told = Progress(
        attempt=attempt, phase=ATTEMPT_PHASE_TRAINING, step=step, total_steps=100, epoch=1, total_epochs=4, loss=loss
    )
    return WatchJobResponse(progress=told)


def shown(follower: Follower) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(draw(follower))
    return captured.get()


def test_each_transition_is_a_line_once() -> None:
    follower = Follower()
    assert len(follower.take(snapshot(JOB_STATE_QUEUED, "submitted"))) == 1
    (line,) = follower.take(change(JOB_STATE_RUNNING, "submitted", "claimed"))
    assert line.endswith("RUNNING    claimed by local, attempt 1")
    assert follower.take(snapshot(JOB_STATE_RUNNING, "submitted", "claimed")) == []
    assert not follower.is_over
    follower.take(change(JOB_STATE_SUCCEEDED, "submitted", "claimed", "committed"))
    assert follower.is_over


def test_progress_survives_a_transition_that_does_not_carry_it() -> None:
    follower = Follower()
    follower.take(snapshot(JOB_STATE_RUNNING))
    follower.take(progress(50))
    follower.take(change(JOB_STATE_RUNNING))
    assert follower.job.progress.step == 50


def test_a_new_attempt_begins_a_new_curve() -> None:
    follower = Follower()
    follower.take(progress(1, 0.9))
    follower.take(progress(2, float("nan")))
    follower.take(progress(3, 0.7))
    assert follower.losses == [0.9, 0.7]
    follower.take(progress(1, 0.8, attempt=2))
    assert follower.losses == [0.8]


def test_the_picture_shows_share_epoch_and_loss() -> None:
    follower = Follower()
    follower.take(snapshot(JOB_STATE_RUNNING))
    follower.take(progress(25, 0.123456))
    picture = shown(follower)
    for words in ("RUNNING", "training", "25%", "epoch 1/4", "loss 0.1235"):
        assert words in picture


def test_the_picture_of_a_waiting_job_says_why() -> None:
    follower = Follower()
    follower.take(WatchJobResponse(snapshot=Job(name=NAME, state=JOB_STATE_QUEUED, wait_reason="3 ahead")))
    assert "3 ahead" in shown(follower)


def test_a_plain_line_says_the_same() -> None:
    follower = Follower()
    follower.take(progress(25))
    assert plain_line(follower) == "training  25%  epoch 1/4  loss 0.5"


def test_a_heartbeat_changes_nothing() -> None:
    follower = Follower()
    assert follower.take(WatchJobResponse(heartbeat=Heartbeat())) == []
    assert follower == Follower()


def test_a_pausing_job_still_shows_how_far_it_is_and_a_paused_one_what_is_kept() -> None:
    follower = Follower()
    follower.take(snapshot(JOB_STATE_RUNNING, "submitted", "claimed"))
    follower.take(progress(50))
    follower.take(change(JOB_STATE_PAUSING, "submitted", "claimed", "pause_requested"))
    assert "50%" in shown(follower)

    paused = job(JOB_STATE_PAUSED, "submitted", "claimed", "pause_requested", "paused")
    paused.wait_reason = "it waits to be resumed; it has no checkpoint"
    line, hint = follower.take(WatchJobResponse(change=JobChange(job=paused)))
    assert line.endswith("PAUSED     paused")
    assert hint.strip() == f"it waits to be resumed; it has no checkpoint: headway jobs resume {'j' + 'a' * 25}"
    assert "50%" not in shown(follower), "what the stopped attempt had reached is not how far the job is"
    assert "it waits to be resumed" in shown(follower)


def test_the_next_attempt_does_not_begin_with_the_progress_of_the_last() -> None:
    follower = Follower()
    follower.take(snapshot(JOB_STATE_RUNNING))
    follower.take(progress(50))
    second = job(JOB_STATE_RUNNING)
    second.attempt = 2
    follower.take(WatchJobResponse(change=JobChange(job=second)))
    assert "50%" not in shown(follower)
