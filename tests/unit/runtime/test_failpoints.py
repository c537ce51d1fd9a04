import os
import subprocess
import sys
import time

import pytest

from headway.runtime import failpoints
from headway.runtime.failpoints import armed_by, failpoint, failpoints_around, parse_failpoints

TESTING = {"HEADWAY_TESTING": "1"}
PROGRAM = """
from headway.runtime.failpoints import failpoint, failpoints_around
print("begun", flush=True)
failpoint("a.first")
with failpoints_around("a.second"):
    print("inside", flush=True)
print("over", flush=True)
"""


def arm(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(failpoints, "_ARMED", armed_by({**TESTING, "HEADWAY_FAILPOINT": text}))


def run(value: str, testing: str = "1") -> tuple[int, list[str]]:
    environ = {**os.environ, "HEADWAY_TESTING": testing, "HEADWAY_FAILPOINT": value}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a.first=kill", ["begun"]),
        ("a.second.before=kill", ["begun"]),
        ("a.second.after=kill", ["begun", "inside"]),
    ],
)
def test_a_process_dies_at_the_place_that_is_named(value: str, said: list[str]) -> None:
    assert run(value) == (-9, said)


def test_a_process_that_is_not_under_test_never_fails() -> None:
    assert run("a.first=kill", testing="") == (0, ["begun", "inside", "over"])
    assert run("a.third=kill") == (0, ["begun", "inside", "over"])


def test_what_cannot_be_read_ends_a_process_under_test_with_the_remedy() -> None:
    code, said = run("a.first=explode")
    assert (code, said) == (1, [])
    with pytest.raises(ValueError, match=r"write kill, eio, enospc or sleep\(SECONDS\)"):
        parse_failpoints("a.first=explode")


@pytest.mark.parametrize("text", ["", "kill", "a=kill", "a.b=sleep", "a.b=kill@0", "a.b=eio;c.d=eio", "A.b=kill"])
def test_only_what_is_meant_is_taken(text: str) -> None:
    if text:
        with pytest.raises(ValueError, match="HEADWAY_FAILPOINT"):
            parse_failpoints(text)
    else:
        assert parse_failpoints(text) == {}


@pytest.mark.parametrize(("action", "words"), [("eio", "Input/output error"), ("enospc", "No space left on device")])
def test_a_disk_fails_at_the_place_that_is_named(monkeypatch: pytest.MonkeyPatch, action: str, words: str) -> None:
    arm(monkeypatch, f"a.b={action},c.d.after={action}")
    with pytest.raises(OSError, match=words):
        failpoint("a.b")
    with pytest.raises(OSError, match=words), failpoints_around("c.d"):
        failpoint("e.f")


def test_only_the_passage_that_is_named_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a.b=eio@2")
    failpoint("a.b")
    with pytest.raises(OSError, match="Input"):
        failpoint("a.b")
    failpoint("a.b")


def test_the_place_after_a_block_is_not_passed_when_the_block_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a.b.after=eio")
    with pytest.raises(KeyError), failpoints_around("a.b"):
        raise KeyError


def test_a_place_can_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "a.b=sleep(0.1)")
    begin = time.perf_counter()
    failpoint("a.b")
    assert time.perf_counter() - begin >= 0.1
