"""`headway events tail` as a process, on a real nats-server with real events (P25)."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headway.contract.events import progress_event
from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually
from headway.testing.life_events import a_completed_record, a_failed_record, events_of
from headway.v1.jobs_pb2 import Progress
from tests.contract.deployment import deployed_nats
from tests.contract.listeners import job_id, publish, running

TAIL = ("events", "tail", "-o", "json")


async def test_nothing_is_missed_and_nothing_comes_twice_over_a_restart_of_nats_server(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """P25. The listener stands still meanwhile: what is published then, no subscription of the moment would hear."""
    with running(tmp_path / "tail", *TAIL, "--nats-url", nats_server.url) as tail:
        await tail.ready()
        ids = await publish(nats_bus, a_completed_record())
        await tail.heard(ids)

        tail.process.send_signal(signal.SIGSTOP)
        ids += await publish(nats_bus, a_completed_record())
        await nats_server.kill()
        await nats_server.start()
        ids += await publish(nats_bus, a_completed_record(), a_failed_record())
        tail.process.send_signal(signal.SIGCONT)

        await tail.says("connected again; nothing was missed")
        ids += await publish(nats_bus, a_failed_record())
        await tail.heard(ids)
        tail.interrupt()
        assert await tail.ended() == 130
        assert tail.ids == ids


async def test_an_event_that_was_published_twice_is_shown_once(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """P25: behind the window of the stream a repeat is stored again; its id is the same."""
    record = a_completed_record()
    with running(tmp_path / "tail", *TAIL, "--nats-url", nats_server.url) as tail:
        await tail.ready()
        ids = await publish(nats_bus, record)
        for event in events_of(record):
            await nats_bus.publish(event.subject, event.body)
        ids += await publish(nats_bus, a_failed_record())
        await tail.heard(ids)
        assert tail.ids == ids


async def test_since_begins_in_the_past_and_without_it_only_what_is_new_is_shown(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    old = await publish(nats_bus, a_completed_record())
    begun = datetime.now(UTC).isoformat()
    middle = await publish(nats_bus, a_failed_record())
    url = ("--nats-url", nats_server.url)
    with (
        running(tmp_path / "1", *TAIL, *url, "--since", "5m") as everything,
        running(tmp_path / "2", *TAIL, *url, "--since", begun) as later,
        running(tmp_path / "3", *TAIL, *url) as only_new,
    ):
        for tail in (everything, later, only_new):
            await tail.ready()
        new = await publish(nats_bus, a_completed_record())
        await everything.heard([*old, *middle, *new])
        await later.heard([*middle, *new])
        await only_new.heard(new)


async def test_a_tail_can_keep_to_a_job_or_a_project(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    url = ("--nats-url", nats_server.url, "--since", "5m")
    ours, theirs = a_completed_record(), a_failed_record(project="other")
    of_ours, of_theirs = await publish(nats_bus, ours), await publish(nats_bus, theirs)
    with (
        running(tmp_path / "1", *TAIL, *url, "--job", job_id(ours)) as of_job,
        running(tmp_path / "2", *TAIL, *url, "--project", "other") as of_project,
        running(tmp_path / "3", *TAIL, *url, "--job", theirs.job.name) as of_named_job,
    ):
        await of_job.heard(of_ours)
        await of_project.heard(of_theirs)
        await of_named_job.heard(of_theirs)
        assert (of_job.ids, of_project.ids) == (of_ours, of_theirs)


@pytest.mark.parametrize("is_completed", [True, False])
async def test_a_tail_leaves_when_its_job_ends_whether_it_ends_now_or_has_ended(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path, is_completed: bool
) -> None:
    record = a_completed_record() if is_completed else a_failed_record()
    arguments = (*TAIL, "--job", job_id(record), "--exit-at-end", "--nats-url", nats_server.url)
    with running(tmp_path / "1", *arguments) as tail:
        await tail.ready()
        ids = await publish(nats_bus, record)
        assert await tail.ended() == (0 if is_completed else 1)
        assert tail.ids == ids
    with running(tmp_path / "2", *arguments) as tail:
        assert await tail.ended() == (0 if is_completed else 1)
        assert tail.ids == ids
    with running(tmp_path / "3", *arguments, "--since", "0s") as tail:
        assert await tail.ended() == (0 if is_completed else 1)
        assert tail.ids == []


async def test_progress_is_shown_only_with_all(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    record = a_completed_record()
    progress = Progress(attempt=1, epoch=1, total_epochs=3)
    progress.measure_time.GetCurrentTime()
    told = progress_event(record.job, "hosts/anton", progress)
    url = ("--nats-url", nats_server.url)
    with running(tmp_path / "1", *TAIL, *url) as tail, running(tmp_path / "2", *TAIL, *url, "--all") as all_of_it:
        await tail.ready()
        await all_of_it.ready()

        async def is_heard() -> bool:
            await nats_bus.publish(told.subject, told.body)
            return json.loads(told.body)["id"] in all_of_it.ids

        await eventually(is_heard, timeout_seconds=30.0, interval_seconds=0.1)
        ids = await publish(nats_bus, record)
        await tail.heard(ids)
        await eventually(lambda: set(ids) <= set(all_of_it.ids), timeout_seconds=30.0)
        all_of_it.interrupt()
        assert await all_of_it.ended() == 130
        assert "Traceback" not in all_of_it.err


async def test_the_subscriber_of_a_deployment_can_tail_and_its_password_is_never_printed(tmp_path: Path) -> None:
    """F-7, and the rights of deploy/nats/headway.conf."""
    with deployed_nats(tmp_path / "nats") as server:
        url = server.url("subscriber")
        password = url.partition("@")[0].rpartition(":")[2]
        async with connect(server.url("gateway"), "gateway") as bus:
            await bus.provision(BUCKETS, STREAMS)
        async with connect(server.url("scheduler"), "scheduler") as bus:
            arguments = ("on", "failed", "--once", "--durable", "pager", "--exec", "exit 9")
            with running(tmp_path / "0", *arguments, HEADWAY_NATS_URL=url) as hook:
                await hook.ready()
                ids = await publish(bus, a_failed_record())
                assert await hook.ended() == 9
            with running(tmp_path / "1", *TAIL, "--all", "--since", "1m", HEADWAY_NATS_URL=url) as tail:
                ids += await publish(bus, a_completed_record())
                await tail.heard(ids)
                tail.interrupt()
                await tail.ended()
                assert password not in tail.err + tail.out
        assert server.violations == []
        with running(tmp_path / "2", *TAIL, HEADWAY_NATS_URL=url.replace(password, "wr0ng-secret")) as refused:
            assert await refused.ended() == 4
            assert "refuses this user or password" in refused.err
            assert "wr0ng-secret" not in refused.err
        with running(tmp_path / "3", *TAIL, "--nats-url", url) as warned:
            await warned.ready()
            assert "HEADWAY_NATS_URL" in warned.err
            assert password not in warned.err


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("--nats-url", "nats://127.0.0.1:1"), 6, "does not answer at nats://127.0.0.1:1"),
        (("--nats-url", "http://:hunter2@x"), 2, "must be nats://host:port"),
        (("--since", "yesterday"), 2, "write how long ago"),
        (("--since", "2026-01-01T10:00:00"), 2, "names no time zone"),
        (("--job", "nonsense"), 2, "INVALID_NAME"),
        (("--exit-at-end",), 2, "it needs --job"),
    ],
)
async def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    with running(tmp_path, *TAIL, *arguments, COLUMNS="200") as tail:
        assert await tail.ended() == exit_code
        assert words in tail.err
        assert "hunter2" not in tail.err
        assert "Traceback" not in tail.err


async def test_a_server_without_streams_is_said(nats_server: NatsServer, tmp_path: Path) -> None:
    with running(tmp_path / "tail", *TAIL, "--nats-url", nats_server.url) as tail:
        assert await tail.ended() == 6
        assert "keeps no events of headway" in tail.err
