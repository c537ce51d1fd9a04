"""`headway on` as a process, on a real nats-server with real events and real commands."""

import asyncio
import json
from pathlib import Path

import psutil
import pytest

from headway.contract.subjects import EVENTS, job_event_subject
from headway.runtime.feeds import Durable
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually
from headway.testing.life_events import a_completed_record, a_failed_record, events_of
from tests.contract.listeners import READY_SECONDS, job_id, publish, running

NOTE = 'echo "$HEADWAY_EVENT_ID" >> done'
"""A command that leaves the event's id in a file of its folder."""


def done(folder: Path) -> list[str]:
    """What NOTE has left."""
    path = folder / "done"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def has_done(folder: Path, ids: list[str]) -> None:
    """Wait until these are done, in this order."""
    await eventually(lambda: done(folder) == ids, timeout_seconds=READY_SECONDS)


async def test_each_event_runs_the_command_with_the_event_on_its_input(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    record, other = a_completed_record(), a_failed_record()
    command = 'cat; echo; env | grep ^HEADWAY_EVENT_ | sort; echo "$HEADWAY_EVENT_NAME" >> done'
    with running(
        tmp_path, "on", "completed", "train.failed", "--exec", command, "--nats-url", nats_server.url
    ) as listener:
        await listener.ready()
        await publish(nats_bus, record, other)
        await has_done(tmp_path, ["train.completed", "train.failed"])
        event = json.loads(listener.out.splitlines()[0])
    assert (event["specversion"], event["type"]) == ("1.0", "trainer.train.completed.v1")
    shown = dict(line.split("=", 1) for line in listener.out.splitlines() if line.startswith("HEADWAY_EVENT_"))
    assert shown["HEADWAY_EVENT_TYPE"] == "trainer.train.failed.v1"
    assert shown["HEADWAY_EVENT_JOB"] == job_id(other)
    assert shown["HEADWAY_EVENT_SUBJECT"] == other.job.name
    assert (shown["HEADWAY_EVENT_PROJECT"], shown["HEADWAY_EVENT_REASON"]) == ("demo", "DISK_FULL")
    assert listener.err.count("exit 0 after") == 2


async def test_nothing_of_an_event_is_read_as_code(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    record = a_failed_record()
    hostile = json.loads(events_of(record)[-1].body)
    hostile |= {"id": "$(touch owned)", "subject": "`touch owned`\0;touch owned \ud800"}
    hostile["data"]["reason"] = "'; touch owned; '"
    command = 'printf %s "$HEADWAY_EVENT_ID $HEADWAY_EVENT_SUBJECT $HEADWAY_EVENT_REASON"; echo yes >> done'
    with running(tmp_path, "on", "failed", "--exec", command, "--nats-url", nats_server.url) as listener:
        await listener.ready()
        await nats_bus.publish(events_of(record)[-1].subject, json.dumps(hostile).encode())
        await has_done(tmp_path, ["yes"])
        assert "$(touch owned)" in listener.out
    assert not (tmp_path / "owned").exists()


async def test_a_command_that_fails_is_tried_again_and_then_skipped(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    bad, good = a_completed_record(), a_completed_record()
    command = f'echo "$HEADWAY_EVENT_JOB" >> tried; [ "$HEADWAY_EVENT_JOB" != {job_id(bad)} ] && {NOTE}'
    arguments = ("--retries", "2", "--retry-wait", "0.05", "--durable", "fails", "--nats-url", nats_server.url)
    with running(tmp_path, "on", "completed", "--exec", command, *arguments) as listener:
        await listener.ready()
        await publish(nats_bus, bad)
        ids = await publish(nats_bus, good)
        await has_done(tmp_path, [ids[-1]])
        assert "given up after 3 tries" in listener.err
        assert listener.err.count("exit 1 after") == 3
    assert (tmp_path / "tried").read_text(encoding="utf-8").split() == [*[job_id(bad)] * 3, job_id(good)]


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    bad, good = a_completed_record(), a_completed_record()
    command = f'{NOTE}; [ "$HEADWAY_EVENT_JOB" != {job_id(bad)} ] || {{ sleep 300 & echo $! > child; wait; }}'
    with running(
        tmp_path, "on", "completed", "--exec", command, "--timeout", "1", "--nats-url", nats_server.url
    ) as listener:
        await listener.ready()
        ids = [(await publish(nats_bus, record))[-1] for record in (bad, good)]
        await has_done(tmp_path, ids)
        await listener.says("exit 0 after")
        assert "ended by its time limit after" in listener.err
        assert "given up after 1 try" in listener.err
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    await eventually(lambda: not is_running(child), timeout_seconds=READY_SECONDS)


async def test_a_command_that_cannot_end_in_order_is_killed(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    command = "trap '' TERM; echo started >> done; while true; do sleep 1; done"
    arguments = ("--timeout", "0.5", "--once", "--nats-url", nats_server.url)
    with running(tmp_path, "on", "completed", "--exec", command, *arguments) as listener:
        await listener.ready()
        await publish(nats_bus, a_completed_record())
        assert await listener.ended() == 7
    assert done(tmp_path) == ["started"]


@pytest.mark.parametrize(("command", "exit_code"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)])
async def test_once_leaves_with_the_exit_code_of_the_command(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path, command: str, exit_code: int
) -> None:
    await publish(nats_bus, a_failed_record(), a_failed_record())
    arguments = ("--once", "--since", "5m", "--nats-url", nats_server.url)
    with running(tmp_path, "on", "failed", "--exec", f"{NOTE}; {command}", *arguments) as listener:
        assert await listener.ended() == exit_code
    assert len(done(tmp_path)) == 1


async def test_a_durable_goes_on_where_it_was_over_runs_and_a_restart_of_nats_server(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """Nothing is missed while it does not run, nothing that is done comes again; --since is for the first run only."""
    await publish(nats_bus, a_failed_record())
    arguments = ("on", "any", "--exec", NOTE, "--durable", "pager", "--nats-url", nats_server.url)
    with running(tmp_path, *arguments) as listener:
        await listener.ready()
        ids = await publish(nats_bus, a_completed_record())
        await has_done(tmp_path, ids)
        listener.interrupt()
        assert await listener.ended() == 130
    ids += await publish(nats_bus, a_completed_record())
    with running(tmp_path, *arguments, "--since", "1h") as listener:
        await has_done(tmp_path, ids)
        await nats_server.kill()
        await nats_server.start()
        ids += await publish(nats_bus, a_failed_record())
        await has_done(tmp_path, ids)


async def test_a_place_that_was_forgotten_begins_anew(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    ids = await publish(nats_bus, a_failed_record())
    url = ("--nats-url", nats_server.url)
    arguments = ("on", "any", "--exec", NOTE, "--durable", "pager", "--since", "5m", *url)
    with running(tmp_path, *arguments):
        await has_done(tmp_path, ids)
    for _ in range(2):
        with running(tmp_path / "forget", "events", "forget", "pager", *url) as forgotten:
            assert await forgotten.ended() == 0
    with running(tmp_path, *arguments):
        await has_done(tmp_path, ids * 2)


async def test_the_first_ctrl_c_lets_a_command_end(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    arguments = ("--durable", "slow", "--nats-url", nats_server.url)
    command = f"echo begun >> begun; while [ ! -e go ]; do sleep 0.05; done; {NOTE}"
    with running(tmp_path, "on", "completed", "--exec", command, *arguments) as listener:
        await listener.ready()
        ids = [(await publish(nats_bus, a_completed_record()))[-1] for _ in range(2)]
        await eventually((tmp_path / "begun").exists, timeout_seconds=READY_SECONDS)
        listener.interrupt()
        await listener.says("once more kills it")
        (tmp_path / "go").touch()
        assert await listener.ended() == 130
        assert done(tmp_path) == ids[:1]
    with running(tmp_path, "on", "completed", "--exec", NOTE, *arguments) as listener:
        await has_done(tmp_path, ids)


async def test_the_second_ctrl_c_kills_the_command_and_the_event_is_left_for_the_next_run(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    arguments = ("--durable", "stuck", "--retries", "5", "--nats-url", nats_server.url)
    command = "echo begun >> begun; trap '' INT TERM; while true; do sleep 0.1; done"
    with running(tmp_path, "on", "completed", "--exec", command, *arguments) as listener:
        await listener.ready()
        event_id = (await publish(nats_bus, a_completed_record()))[-1]
        await eventually((tmp_path / "begun").exists, timeout_seconds=READY_SECONDS)
        listener.interrupt()
        await listener.says("once more kills it")
        listener.interrupt()
        assert await listener.ended() == 130
        assert "left for the next run" in listener.err
        assert "Traceback" not in listener.err
    with running(tmp_path, "on", "completed", "--exec", NOTE, *arguments) as listener:
        await has_done(tmp_path, [event_id])


async def test_a_crash_runs_the_command_again_and_loses_nothing(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """At least once: killed between the command and its acknowledgement."""
    arguments = ("--durable", "crash", "--nats-url", nats_server.url)
    with running(tmp_path, "on", "completed", "--exec", f"{NOTE}; kill -9 $PPID", *arguments) as listener:
        await listener.ready()
        event_id = (await publish(nats_bus, a_completed_record()))[-1]
        assert await listener.ended() == -9
    with running(tmp_path, "on", "completed", "--exec", NOTE, *arguments):
        await eventually(lambda: done(tmp_path) == [event_id, event_id], timeout_seconds=60.0)


async def test_what_is_no_event_is_skipped(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    """F-1: poison never stops what comes behind."""
    record = a_completed_record()
    subject = job_event_subject("completed", "demo", job_id(record))
    with running(
        tmp_path, "on", "completed", "--exec", NOTE, "--durable", "poison", "--nats-url", nats_server.url
    ) as listener:
        await listener.ready()
        for body in (b"", b"\xff\xfe", b"[]", b"{}", b'{"id": 5, "type": {}}', b"[" * 50_000):
            await nats_bus.publish(subject, body)
        ids = await publish(nats_bus, record)
        await has_done(tmp_path, ids[-1:])
        assert listener.err.count("it holds no CloudEvent") == 6


async def test_a_person_cannot_take_the_place_of_a_consumer_of_headway(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    registrar = Durable(name="registrar")
    async with nats_bus.feed(EVENTS, durable=registrar):
        ids = await publish(nats_bus, a_completed_record())
    arguments = ("--durable", "registrar", "--since", "5m", "--nats-url", nats_server.url)
    with running(tmp_path, "on", "any", "--exec", NOTE, *arguments):
        await has_done(tmp_path, ids)
    async with nats_bus.feed(EVENTS, durable=registrar) as feed, asyncio.timeout(READY_SECONDS):
        assert (await anext(aiter(feed))).num_delivered == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("complted",), "Did you mean 'completed'?"),
        (("progress",), "events tail --all"),
        (("completed", "--durable", "a.b"), "letters, digits"),
        (("host.lost", "--job", "j" + "a" * 25), "a host belongs to no"),
        (("completed", "--since", "soon"), "write how long ago"),
        (("completed", "--exec", " "), "it is empty"),
    ],
)
async def test_wrong_usage_is_said(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    with running(tmp_path, "on", "--exec", "true", *arguments, COLUMNS="200") as listener:
        assert await listener.ended() == 2
        assert words in listener.err
