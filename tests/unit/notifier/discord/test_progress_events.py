import json
import math

import pytest

from headway.contract.ids import JobName
from headway.testing.builders import a_claimed_record
from notifier.discord.progress_events import decode_progress, run_of_subject
from tests.contract.discord_life import progress


def test_progress_is_read() -> None:
    record = a_claimed_record()
    found = decode_progress(*progress(record, 25, loss=0.75))
    assert found is not None
    name, newest = found
    assert name == JobName.parse(record.job.name)
    assert (newest.step, newest.total_steps, newest.loss, newest.phase, newest.host) == (25, 100, 0.75, "training", "a")
    assert newest.fraction == 0.25


def test_an_unknown_loss_is_no_number() -> None:
    found = decode_progress(*progress(a_claimed_record(), 1, loss=math.nan))
    assert found is not None
    assert math.isnan(found[1].loss)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 3}', b"\xff", b"[" * 100_000, b'{"data":{"step":"x"}}'])
def test_what_cannot_be_read_is_passed_over(body: bytes) -> None:
    subject, _ = progress(a_claimed_record(), 1)
    assert decode_progress(subject, body) is None


def test_a_body_about_another_run_is_passed_over() -> None:
    subject, _ = progress(a_claimed_record(), 1)
    _, body = progress(a_claimed_record(), 1)
    assert json.loads(body)
    assert decode_progress(subject, body) is None


@pytest.mark.parametrize("subject", ["", "trainer.host.lost.v1.a", "trainer.train.started.v1.demo.nojob"])
def test_a_subject_may_name_no_run(subject: str) -> None:
    assert run_of_subject(subject) is None
