import json
from pathlib import Path

from headway.cli.stack.warnings import LogFollower, Repeats, parse_line


def test_only_warnings_and_worse_reach_a_person() -> None:
    line = json.dumps({"level": "warning", "event": "slow", "module": "x", "timestamp": "t", "wait_seconds": 3})
    assert parse_line(line) == ("warning", "slow wait_seconds=3")
    assert parse_line(json.dumps({"level": "info", "event": "fine"})) is None
    assert parse_line("not json") is None
    assert parse_line("[1]") is None


def test_a_log_is_followed_line_by_line_from_its_present_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("old\n", encoding="utf-8")
    follower = LogFollower({"a": path})
    follower.start()
    with path.open("a", encoding="utf-8") as file:
        file.write("one\ntw")
        file.flush()
        assert follower.new_lines("a") == ["one"]
        file.write("o\n")
        file.flush()
        assert follower.new_lines("a") == ["two"]
    assert follower.new_lines("a") == []


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("a long old line\n", encoding="utf-8")
    follower = LogFollower({"a": path})
    follower.start()
    path.write_text("new\n", encoding="utf-8")
    assert follower.new_lines("a") == ["new"]


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    follower = LogFollower({"a": tmp_path / "a.log"})
    follower.start()
    assert follower.new_lines("a") == []
    (tmp_path / "a.log").write_text("first\n", encoding="utf-8")
    assert follower.new_lines("a") == ["first"]


def test_the_same_words_are_told_once_in_a_while() -> None:
    repeats = Repeats()
    assert repeats.may_tell("gateway", "lost num_tries=1", now=100.0)
    assert not repeats.may_tell("gateway", "lost num_tries=2", now=129.0)
    assert repeats.may_tell("scheduler", "lost num_tries=1", now=129.0)
    assert repeats.may_tell("gateway", "back", now=129.0)
    assert repeats.may_tell("gateway", "lost num_tries=3", now=130.0)
