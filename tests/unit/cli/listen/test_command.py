from pathlib import Path

import pytest

from headway.cli.listen.command import Command, environment_of
from headway.cli.listen.heard import HeardEvent, read_event
from headway.testing.life_events import a_failed_record, events_of

EVENT = HeardEvent("trainer.train.completed.v1.p.j", b'{"id": "1"}', "1", "trainer.train.completed.v1")


def test_the_environment_names_what_the_event_is_about() -> None:
    record = a_failed_record()
    failed = events_of(record)[-1]
    found = environment_of(read_event(failed.subject, failed.body))
    assert found["HEADWAY_EVENT_NAME"] == "train.failed"
    assert found["HEADWAY_EVENT_ID"] == failed.message_id
    assert (found["HEADWAY_EVENT_REASON"], found["HEADWAY_EVENT_MODEL"]) == ("DISK_FULL", "")


def test_what_an_environment_cannot_hold_is_left_out() -> None:
    event = read_event("trainer.x", b'{"id": "a\\u0000b\\ud800", "type": "t"}')
    assert environment_of(event)["HEADWAY_EVENT_ID"] == "ab?"


@pytest.mark.parametrize(
    ("text", "exit_code", "is_late"),
    [
        ("cat >/dev/null; exit 3", 3, False),
        ("exit 0", 0, False),  # Without reading its input.
        ("kill -TERM $$", 143, False),
        ("sleep 300", 143, True),
        ("exec 0<&-; exit 0", 0, False),
    ],
)
async def test_an_outcome_says_how_it_ended(text: str, exit_code: int, is_late: bool) -> None:
    outcome = await Command(text, 1.0 if is_late else 60.0).run(EVENT)
    assert (outcome.exit_code, outcome.is_late) == (exit_code, is_late)
    assert outcome.is_done is (exit_code == 0 and not is_late)


async def test_a_large_event_that_nobody_reads_stops_nothing() -> None:
    event = HeardEvent("trainer.x", b"x" * 500_000, "1", "t")
    assert (await Command("exit 0", 60.0).run(event)).is_done


async def test_the_whole_event_stands_on_the_input(tmp_path: Path) -> None:
    event = HeardEvent("trainer.x", b"x" * 500_000, "1", "t")
    assert (await Command(f"cat > {tmp_path / 'event'}", 60.0).run(event)).is_done
    assert (tmp_path / "event").read_bytes() == event.body + b"\n"
