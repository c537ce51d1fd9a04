import pytest

from headway.cli.listen.event_names import (
    TERMINAL_TYPES,
    UnknownEvent,
    all_types,
    completions,
    family_of,
    resolve,
    short_name,
)
from headway.contract.subjects import EVENTS

COMPLETED = "trainer.train.completed.v1"


@pytest.mark.parametrize(
    "name", ["completed", "train.completed", "trainer.train.completed", COMPLETED, "Completed", "train.completed.v1"]
)
def test_an_event_has_several_names(name: str) -> None:
    assert resolve([name]) == {COMPLETED}


def test_a_family_and_everything_have_names() -> None:
    assert (
        resolve(["host.*"])
        == resolve(["host"])
        == {f"trainer.host.{name}.v1" for name in ("joined", "lost", "drained")}
    )
    assert resolve(["any"]) == all_types()
    assert resolve(["failed", "model.registered"]) == {"trainer.train.failed.v1", "trainer.model.registered.v1"}


def test_every_event_of_the_stream_is_known() -> None:
    assert {".".join(subject.split(".")[:4]) for subject in EVENTS.subjects} == all_types()
    assert all_types() > TERMINAL_TYPES


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("complted", "completed"),
        ("train.faild", "train.failed"),
        ("model.registred", "model.registered"),
        ("hots.lost", "host.lost"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownEvent, match=f"Did you mean '{near}'"):
        resolve([name])


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "there are"), ("zzzzzzzz", "there are queued"), ("progress", "events tail --all"), ("x" * 500, "there are")],
)
def test_a_name_that_is_near_to_none_gets_all(name: str, words: str) -> None:
    with pytest.raises(UnknownEvent, match=words) as caught:
        resolve(["completed", name])
    assert len(str(caught.value)) < 300


def test_names_are_completed() -> None:
    assert completions("comp") == ["completed"]
    assert completions("model.") == ["model.promoted", "model.registered", "model.rolled_back", "model.*"]
    assert "any" in completions("")


def test_types_have_short_names_and_families() -> None:
    assert (short_name(COMPLETED), family_of(COMPLETED)) == ("train.completed", "train")
