"""The bot as its owner meets it: the real discord.py, a fake Discord, lives of runs."""

from datetime import UTC, datetime

from headway.contract.subjects import BUCKETS, STREAMS
from headway.contract.transitions import commit_result
from headway.testing.clock import ManualClock
from headway.testing.discord.faults import error
from headway.testing.discord.payloads import Message
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, Bundle, JobResult, ResultSummary
from headway.v1.records_pb2 import JobRecord
from notifier.discord.answers import NO_GATEWAY
from notifier.discord.steering import NOT_ENABLED, TOO_LATE
from tests.contract.discord_life import BotLife, ScriptedGateway, advance_until
from tests.unit.notifier.doubles import a_failed_job, a_finished_job, a_running_job

LIMIT_SECONDS = 30.0


def now() -> datetime:
    return datetime.now(UTC)


def job_id(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


def live(discord: FakeDiscord) -> list[Message]:
    """The messages that are edited: the only ones that the bot sends without a word above them."""
    return [message for message in discord.pushed if not message.content]


async def ask(discord: FakeDiscord, line: str) -> Message:
    return await (await discord.invoke(line)).answer(LIMIT_SECONDS)


async def shows(discord: FakeDiscord, text: str) -> None:
    """Wait until the first live message says so."""
    await eventually(lambda: text in live(discord)[0].text, timeout_seconds=LIMIT_SECONDS)


async def press(discord: FakeDiscord, message: Message, label: str) -> Message:
    button = next(part for part in message.buttons if part.label == label)
    return await (await discord.press(message, button.custom_id or "")).answer(LIMIT_SECONDS)


async def test_a_run_is_followed_in_one_message_that_is_edited(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(now())
        await life.publish(job)
        await eventually(lambda: len(discord.pushed) == 2, timeout_seconds=LIMIT_SECONDS)
        assert live(discord)[0].is_silent
        for step in (10, 30):
            await life.report(job, step, loss=1.0 / step)
            await shows(discord, f"{step}%")
        assert live(discord)[0].num_edits >= 2
        shown = live(discord)[0].text
        for part in ("30%", "4 of 10", "30 of 100", "▁", "1,234 a second", "about 1 min 10 s", "local"):
            assert part in shown, shown

        # It comes to its end: a message of its own, and the live one says so too.
        summary = ResultSummary(metrics={"train_loss": 0.25}, headline_metric="accuracy", headline_value=0.96)
        result = JobResult(bundle=Bundle(digest="sha256:" + "0" * 64), attempt=1, summary=summary)
        await life.publish(commit_result(job, host="hosts/a", result=result, now=now()))
        await eventually(lambda: "Training completed" in live(discord)[0].text, timeout_seconds=LIMIT_SECONDS)
        assert "100%" in live(discord)[0].text
        await eventually(lambda: "Training completed" in discord.pushed[-1].content, timeout_seconds=LIMIT_SECONDS)
        await eventually(lambda: len(life.assembly.runs) == 0, timeout_seconds=LIMIT_SECONDS)
        assert life.assembly.ears.store.messages() == {}
        assert len(live(discord)) == 1


async def test_a_restart_goes_on_with_the_same_message_and_the_same_commands(memory_bus: MemoryBus) -> None:
    gateway = ScriptedGateway()
    job = a_running_job(now())
    async with fake_discord() as discord:
        for step in (10, 50):
            async with BotLife.of(discord, memory_bus, gateway) as life:
                await discord.gateway.wait_connected()
                await life.publish(job)
                await eventually(lambda: live(discord), timeout_seconds=LIMIT_SECONDS)
                edits = live(discord)[0].num_edits
                await life.report(job, step)
                await shows(discord, f"{step}%")
                assert live(discord)[0].num_edits > edits
        assert len(live(discord)) == 1
        assert discord.traffic.count("PUT") == 1
        async with BotLife.of(discord, memory_bus, gateway, is_control_enabled=True) as life:
            await discord.gateway.wait_connected()
            await eventually(lambda: discord.traffic.count("PUT") == 2, timeout_seconds=LIMIT_SECONDS)


async def test_a_message_that_is_gone_is_made_anew(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(now())
        await life.publish(job)
        await eventually(lambda: live(discord), timeout_seconds=LIMIT_SECONDS)
        discord.faults.add("PATCH", "/channels/*", error(404, 10008))
        await life.report(job, 40)
        await eventually(lambda: len(live(discord)) == 2, timeout_seconds=LIMIT_SECONDS)
        kept = {job.job.name: live(discord)[1].id}
        await eventually(lambda: life.assembly.ears.store.messages() == kept, timeout_seconds=LIMIT_SECONDS)


async def test_questions_are_answered_by_the_gateway(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        assert "No run yet" in (await ask(discord, "/trainer runs")).text
        running, failed = a_running_job(now()), a_failed_job(now())
        await life.publish(running, failed, a_finished_job(now()))
        runs = (await ask(discord, "/trainer runs")).text
        assert all(part in runs for part in (job_id(running), job_id(failed), "running", "failed", "succeeded"))
        status = (await ask(discord, f"/trainer status run:{job_id(failed)}")).text
        command = f"headway jobs logs {failed.job.name}"
        for part in ("FATAL", "the disk is full", "once", "Its spec and its log", command):
            assert part in status, status
        assert "No run has" in (await ask(discord, "/trainer status run:jnothing")).text
        life.gateway.is_away = True
        assert (await ask(discord, "/trainer runs")).text == NO_GATEWAY


async def test_watches_are_kept(memory_bus: MemoryBus) -> None:
    """An unwatched run is left alone, its live message says so; a watched one is followed."""
    job = a_running_job(now())
    gateway = ScriptedGateway()
    async with fake_discord() as discord:
        async with BotLife.of(discord, memory_bus, gateway) as life:
            await discord.gateway.wait_connected()
            await life.publish(job)
            await eventually(lambda: live(discord), timeout_seconds=LIMIT_SECONDS)
            assert job_id(job) in (await ask(discord, f"/trainer unwatch run:{job_id(job)[:8]}")).text
            await eventually(lambda: "Not watched any more" in live(discord)[0].text, timeout_seconds=LIMIT_SECONDS)
            choices = await discord.autocomplete("/trainer watch run:iri")
            assert [choice.value for choice in choices] == [f"demo/{job_id(job)}"]
        async with BotLife.of(discord, memory_bus, gateway) as life:
            await discord.gateway.wait_connected()
            assert not life.watches.is_watched(job.job.name)
            assert "Watching" in (await ask(discord, f"/trainer watch run:demo/{job_id(job)}")).text
            await eventually(lambda: len(live(discord)) == 2, timeout_seconds=LIMIT_SECONDS)
            await ask(discord, "/trainer unwatch run:all")
            other = a_finished_job(now())
            await life.publish(other)
            await eventually(lambda: life.post.ledger.settled.through == 6, timeout_seconds=LIMIT_SECONDS)
            assert job_id(other) not in "".join(message.text for message in discord.pushed)
            assert "Every run" in (await ask(discord, "/trainer watch run:all")).text


async def test_runs_are_steered_by_button_and_a_cancellation_is_confirmed(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus, is_control_enabled=True) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(now())
        await life.publish(job)
        await eventually(lambda: live(discord), timeout_seconds=LIMIT_SECONDS)
        assert "being paused" in (await press(discord, live(discord)[0], "Pause")).text
        job.job.state = JOB_STATE_PAUSED
        paused = await ask(discord, f"/trainer status run:{job_id(job)}")
        assert "waits for a host" in (await press(discord, paused, "Resume")).text
        question = await press(discord, paused, "Cancel")
        assert life.gateway.count("cancel") == 0
        assert "being cancelled" in (await press(discord, question, "Yes, cancel it")).text
        assert (await press(discord, question, "Yes, cancel it")).text == TOO_LATE
        assert [life.gateway.count(verb) for verb in ("pause", "resume", "cancel")] == [1, 1, 1]


async def test_a_yes_comes_too_late_after_a_minute(clock: ManualClock) -> None:
    bus = MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock, is_control_enabled=True) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(clock.now())
        life.gateway.put(job)
        asked = await discord.invoke(f"/trainer cancel run:demo/{job_id(job)}")
        question = await asked.answer(LIMIT_SECONDS)
        begin = clock.monotonic()
        await advance_until(clock, lambda: clock.monotonic() - begin > 60.0)
        assert (await press(discord, question, "Yes, cancel it")).text == TOO_LATE
        assert life.gateway.count("cancel") == 0


async def test_without_control_nothing_can_be_steered(memory_bus: MemoryBus) -> None:
    """No command is offered and no button shown; an old button does nothing."""
    gateway = ScriptedGateway()
    job = a_running_job(now())
    gateway.put(job)
    async with fake_discord() as discord:
        async with BotLife.of(discord, memory_bus, gateway, is_control_enabled=True):
            await discord.gateway.wait_connected()
            old = await ask(discord, f"/trainer status run:demo/{job_id(job)}")
        async with BotLife.of(discord, memory_bus, gateway) as life:
            await discord.gateway.wait_connected()
            await eventually(lambda: discord.traffic.count("PUT") == 2, timeout_seconds=LIMIT_SECONDS)
            (command,) = discord.commands
            assert [option.name for option in command.options] == ["runs", "status", "watch", "unwatch"]
            assert (await press(discord, old, "Pause")).text == NOT_ENABLED
            assert (await ask(discord, f"/trainer status run:demo/{job_id(job)}")).buttons == ()
            assert life.gateway.count("pause") == 0


async def test_a_heartbeat_says_that_a_run_goes_on(clock: ManualClock) -> None:
    bus = MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(clock.now())
        await life.publish(job)
        await advance_until(clock, lambda: live(discord))
        await life.report(job, 10)
        await advance_until(clock, lambda: "at step 10." in live(discord)[0].text, step_seconds=5.0)
        edits = live(discord)[0].num_edits
        await advance_until(clock, lambda: "no further than" in live(discord)[0].text, step_seconds=5.0)
        assert live(discord)[0].num_edits == edits + 1
