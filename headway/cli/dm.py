"""`headway dm`: the owner's side of the bot's conversation, where `headway up --fake-discord` runs."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from headway.cli.exit_codes import ExitCode
from headway.cli.owner_dm.control import ALL_MESSAGES, ControlClient, LineRefused, open_control
from headway.cli.owner_dm.rendering import message_block
from headway.cli.owner_dm.shown import Answer, DirectMessage
from headway.cli.owner_dm.watching import Screen, print_block
from headway.cli.session import finish, home_of, options_of
from headway.cli.view.consoles import say
from headway.cli.view.errors import show_error
from headway.cli.view.output import Output, OutputOption, print_raw
from headway.contract.errors import HeadwayError
from headway.runtime.clock import SystemClock

app = typer.Typer()

_SHOW_LIMIT_SECONDS = 3.0
_NUM_PAST = 20
_READ_BYTES = 64 * 1024
_LEAVE = frozenset({"quit", "exit"})


@app.command("dm")
def dm(
    ctx: typer.Context,
    once: Annotated[
        str, typer.Option(help="Send this one line, print the answer and leave.", metavar="LINE", show_default=False)
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Open the simulated direct messages of `headway up --fake-discord`.

    Shows the conversation and what comes; takes lines: `/trainer runs` and the bot's other commands, `press 2` for a
    button of the newest message that has any, `help`. Ctrl-D or Ctrl-C leaves. -o json prints each change as JSON.
    """
    home = home_of(options_of(ctx))
    finish(_once(home, once, output) if once else _talk(home, output), home=home)


async def _once(home: Path, line: str, output: Output) -> ExitCode:
    async with open_control(home) as control:
        answer = await send(control, line)
    if answer is None:
        raise LineRefused("--once takes a command of the bot, such as `/trainer runs`, or `press 1`")
    show_answer(answer, output)
    return ExitCode.OK


async def _talk(home: Path, output: Output) -> ExitCode:
    async with open_control(home) as control:
        state = await control.state()
        say("help lists what you can type; Ctrl-D leaves", "dim")
        if output == Output.TABLE and len(state.messages) > _NUM_PAST:
            say(f"the newest {_NUM_PAST} of {len(state.messages)} messages:", "dim")
        if not state.is_connected:
            say("the bot is not connected yet", "yellow")
        show = print_block if output == Output.TABLE else _show_nothing
        screen = Screen(SystemClock(), show, shows_thinking=True)
        try:
            async with asyncio.TaskGroup() as group:
                shown = group.create_task(_show(control, screen, output), name="show")
                await screen.is_caught_up.wait()
                await _listen(control, screen)
                shown.cancel()
        except BaseExceptionGroup as failed:
            # One of the two ended the other; what ended it is what a person needs.
            raise failed.exceptions[0] from None
    return ExitCode.OK


def _show_nothing(_block: RenderableType) -> None:
    """A program reads changes, not blocks."""


async def _show(control: ControlClient, screen: Screen, output: Output) -> None:
    async for change in control.changes(num_past=_NUM_PAST if output == Output.TABLE else ALL_MESSAGES):
        screen.take(change)
        if output == Output.NAME and change.message is not None:
            print_raw(change.message.id)
        elif output in {Output.JSON, Output.JSONL}:
            print_raw(change.model_dump_json())


async def _listen(control: ControlClient, screen: Screen) -> None:
    async for line in typed_lines():
        if line in _LEAVE:
            return
        await _obey(control, screen, line)


async def _obey(control: ControlClient, screen: Screen, line: str) -> None:
    """Do what a line says; what goes wrong with it is told, and the conversation goes on."""
    try:
        if line.startswith("/") and line.endswith(" ?"):
            await _say_offers(control, line.removesuffix("?"))
            return
        answer = await send(control, line)
        if answer is None:
            await (_help(control) if line == "help" else _say_what_is_heard())
        elif answer.message is not None:
            # The answer comes by the stream of changes; the next line waits until it was seen.
            await screen.wait_shown(answer.message, _SHOW_LIMIT_SECONDS)
    except HeadwayError as error:
        show_error(error)


async def send(control: ControlClient, line: str) -> Answer | None:
    """Send a line as the owner; None where it is nothing that a bot hears.

    Raises:
        HeadwayError: it cannot be sent, or was not answered.
    """
    words = line.split()
    if line.startswith("/"):
        return await control.invoke(line)
    if words and words[0] == "press":
        if len(words) != 2 or not words[1].isdigit():
            raise LineRefused("press takes the number of a button, such as `press 1`")
        return await control.press(int(words[1]))
    return None


async def _say_what_is_heard() -> None:
    say("the bot hears commands only; help lists them", "dim")


async def _say_offers(control: ControlClient, line: str) -> None:
    """What Discord would show below a line while it is typed."""
    offers = await control.offers(line)
    for offer in offers:
        say(f"  {offer.value}  {offer.name if offer.name != str(offer.value) else ''}".rstrip())
    if not offers:
        say("  the bot offers nothing here", "dim")


async def _help(control: ControlClient) -> None:
    state = await control.state()
    lines = [(command.usage, command.description) for command in state.commands]
    if not lines:
        say("  the bot has registered no commands yet")
    lines += [
        ("/trainer status ?", "what the bot offers for the next value"),
        ("press N", "a button of the newest message that has any"),
        ("help, quit", "this; leave (Ctrl-D works too)"),
    ]
    width = max(len(usage) for usage, _ in lines)
    for usage, what in lines:
        say(f"  {usage:<{width}}  {what}")


def show_answer(answer: Answer, output: Output) -> None:
    """Print the answer to one line."""
    message: DirectMessage | None = answer.message
    if output == Output.TABLE:
        if message is None:
            say("the bot took note; it shows nothing", "dim")
        else:
            print_block(message_block(message))
    elif output == Output.NAME:
        print_raw(message.id if message else "")
    else:
        dumped = message.model_dump(mode="json") if message else None
        print_raw(json.dumps(dumped, indent=2 if output == Output.JSON else None))


async def typed_lines() -> AsyncGenerator[str, None]:
    """Lines of standard input as they are typed, without blank ones, until it ends."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    try:
        # No thread: one that waits for a line cannot be ended, and holds up the end of the process.
        loop.add_reader(descriptor, lambda: queue.put_nowait(os.read(descriptor, _READ_BYTES)))
    except PermissionError:
        # A file cannot be waited for; it is all there already.
        for line in (await asyncio.to_thread(sys.stdin.read)).splitlines():
            if line.strip():
                yield line.strip()
        return
    rest = b""
    try:
        while chunk := await queue.get():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if text := line.decode("utf-8", "replace").strip():
                    yield text
    finally:
        loop.remove_reader(descriptor)
    if text := rest.decode("utf-8", "replace").strip():
        yield text
