import math

import pytest
from pydantic import ValidationError

from trainer_host.child_messages import (
    Finished,
    Hello,
    Progress,
    RunAttempt,
    Stop,
    Summary,
    decode_from_child,
    decode_to_child,
    encode,
)


def test_a_message_survives_the_pipe() -> None:
    order = RunAttempt(
        job="projects/p/jobs/j", attempt=2, host="hosts/h", kind="toy", spec_json="{}", mode="HOST", work_dir="w"
    )
    assert order == decode_to_child(encode(order))
    assert Stop(reason="PAUSE") == decode_to_child(encode(Stop(reason="PAUSE")))
    assert Hello(pid=7) == decode_from_child(encode(Hello(pid=7)))


def test_a_number_that_is_not_known_survives_the_pipe() -> None:
    read = decode_from_child(encode(Progress(phase="TRAINING", measure_time=1.0)))

    assert isinstance(read, Progress)
    assert math.isnan(read.loss)


def test_a_message_is_one_line_whatever_it_says() -> None:
    summary = Summary(headline_value=1.0, warnings=("line\nbreak",))
    message = Finished(bundle_dir="a\nb", manifest_digest="", artifacts=(), summary=summary)

    assert encode(message).count(b"\n") == 1
    assert message == decode_from_child(encode(message))


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}", b'{"type": "run_attempt"}', b'{"type": "hello", "pid": 1}', b"\xff"]
)
def test_a_line_that_is_no_message_to_a_child_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        decode_to_child(line)


def test_a_field_of_another_version_is_refused() -> None:
    with pytest.raises(ValidationError):
        decode_from_child(b'{"type": "hello", "pid": 1, "colour": "red"}')
