import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from headway.runtime.logs import bind, bound, configure_logging, get_logger


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    before = list(logging.getLogger().handlers)
    configure_logging("gateway", level="info", roots={"<data>": Path("/srv/data")}, stream=stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.getLogger().handlers[:] = before


def parsed(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object(lines: io.StringIO) -> None:
    get_logger("gateway.jobs").info("job created", job="j1", size_bytes=3)

    (line,) = parsed(lines)
    assert {name: line[name] for name in ("event", "job", "size_bytes", "level", "service", "module")} == {
        "event": "job created",
        "job": "j1",
        "size_bytes": 3,
        "level": "info",
        "service": "gateway",
        "module": "gateway.jobs",
    }
    assert str(line["timestamp"]).endswith("Z")


def test_bound_fields_are_in_every_line_of_the_block(lines: io.StringIO) -> None:
    log = get_logger("m")
    bind(request_id="r1")
    with bound(job="j1", attempt=2):
        log.info("inside")
        logging.getLogger("library").warning("inside too")
    log.info("outside")

    inside, library, outside = parsed(lines)
    assert (inside["request_id"], inside["job"], inside["attempt"]) == ("r1", "j1", 2)
    assert (library["job"], library["logger"], library["event"]) == ("j1", "library", "inside too")
    assert "job" not in outside


def test_a_quieter_level_writes_nothing(lines: io.StringIO) -> None:
    get_logger("m").debug("not now")
    logging.getLogger("library").info("nor this")

    assert parsed(lines) == []


def test_a_hostile_value_stays_inside_its_line(lines: io.StringIO) -> None:
    get_logger("m").info("call", given='x\n{"level":"error"}\x1b[31m", "a": "b')

    (line,) = parsed(lines)
    assert line["level"] == "info"


def test_secrets_and_paths_are_taken_out_wherever_they_are(lines: io.StringIO) -> None:
    secret = "hw_abcdefghijkl_verysecretverysecret_check"

    def fails(key: str) -> None:
        raise ValueError(f"{key} in /home" + "/u/corpus/x.txt")

    log = get_logger("m")
    event = f"event {secret}"
    log.info(event, path=Path("/srv/data/iris.csv"), nested={"key": secret}, items=[secret])
    logging.getLogger("library").warning("foreign %s", secret)
    try:
        fails(secret)
    except ValueError:
        log.exception("failed")
        logging.getLogger("library").exception("failed there")

    written = lines.getvalue()
    assert "verysecret" not in written
    assert "corpus" not in written
    assert "<data>/iris.csv" in written
    assert len(parsed(lines)) == 4


def test_a_traceback_names_code_but_no_locals(lines: io.StringIO) -> None:
    def fails() -> None:
        corpus_line = "once upon a time"
        raise ValueError(len(corpus_line))

    try:
        fails()
    except ValueError:
        get_logger("m").exception("failed")

    (line,) = parsed(lines)
    assert "ValueError: 16" in str(line["exception"])
    assert "in fails" in str(line["exception"])
    assert "once upon a time" not in lines.getvalue().replace('corpus_line = \\"once upon a time\\"', "")


def test_a_terminal_gets_colours_and_no_json() -> None:
    stream = io.StringIO()
    configure_logging("gateway", stream=stream, json_lines=False)
    try:
        get_logger("m").info("job created", job="j1")
    finally:
        structlog.reset_defaults()

    assert "job created" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
