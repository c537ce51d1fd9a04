"""The hook on a bus in memory; the process around it is in tests/contract/test_events_on.py."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from headway.cli.listen.command import Command
from headway.cli.listen.event_names import all_types
from headway.cli.listen.hook import Hook, Rule
from headway.cli.listen.interruption import Interruption
from headway.cli.listen.retrying import Retrying
from headway.cli.listen.wanted import wanted_of
from headway.contract.subjects import EVENTS
from headway.runtime.clock import SystemClock
from headway.runtime.feeds import Durable
from headway.testing.builders import a_record
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.testing.memory_bus import MemoryBus


def a_rule(command: str, durable: Durable) -> Rule:
    return Rule(wanted_of(all_types(), None, ""), Command(command, None), Retrying(0, 1.0), durable=durable)


class AtTheEnd(Interruption):
    """A Ctrl-C in the moment in which the command has ended and its event is not acknowledged yet."""

    def __init__(self) -> None:
        super().__init__()
        self._listener = asyncio.current_task()

    @contextmanager
    def waiting_for(self, kill: Callable[[], None]) -> Generator[None, None, None]:
        with super().waiting_for(kill):
            yield
        assert self._listener is not None
        self._listener.cancel()


async def run(bus: MemoryBus, rule: Rule, interruption: type[Interruption] = Interruption) -> None:
    """Until it is cancelled."""
    async with bus.feed(EVENTS, durable=rule.durable) as feed:
        await Hook(feed, rule, interruption(), SystemClock()).run()


async def test_an_event_whose_command_still_runs_is_given_to_nobody_else(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Two processes share a durable; the command takes three times as long as an acknowledgement may."""
    rule = a_rule(
        f"echo run >> {tmp_path / 'runs'}; sleep 1.5; touch {tmp_path / 'end'}",
        Durable(name="on-x", ack_wait_seconds=0.5),
    )
    (event,) = events_of(a_record())
    await memory_bus.publish(event.subject, event.body)
    both = asyncio.gather(run(memory_bus, rule), run(memory_bus, rule))
    await eventually((tmp_path / "end").exists, timeout_seconds=30.0)
    both.cancel()
    with suppress(asyncio.CancelledError):
        await both
    assert (tmp_path / "runs").read_text(encoding="utf-8").split() == ["run"]


async def test_an_event_whose_command_is_broken_off_is_left_for_the_next_at_once(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    durable = Durable(name="on-x", ack_wait_seconds=600.0)
    (event,) = events_of(a_record())
    await memory_bus.publish(event.subject, event.body)
    first = asyncio.ensure_future(run(memory_bus, a_rule(f"touch {tmp_path / 'begun'}; sleep 300", durable)))
    await eventually((tmp_path / "begun").exists, timeout_seconds=30.0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    second = asyncio.ensure_future(run(memory_bus, a_rule(f"touch {tmp_path / 'done'}", durable)))
    await eventually((tmp_path / "done").exists, timeout_seconds=30.0)
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second


async def test_an_event_that_is_done_when_ctrl_c_comes_does_not_come_again(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    durable = Durable(name="on-x", ack_wait_seconds=600.0)
    rule = a_rule(f'echo "$HEADWAY_EVENT_ID" >> {tmp_path / "done"}', durable)
    done, after = events_of(a_record()), events_of(a_record())
    await memory_bus.publish(done[0].subject, done[0].body)
    with suppress(asyncio.CancelledError):
        await asyncio.ensure_future(run(memory_bus, rule, AtTheEnd))
    await memory_bus.publish(after[0].subject, after[0].body)
    second = asyncio.ensure_future(run(memory_bus, rule))
    await eventually(lambda: after[0].message_id in (tmp_path / "done").read_text(), timeout_seconds=30.0)
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second
    assert (tmp_path / "done").read_text(encoding="utf-8").split() == [done[0].message_id, after[0].message_id]
