"""The roles of the gateway's program beside serving: `python -m gateway recover`, `backup FOLDER`, `restore FOLDER`."""

from contextlib import AsyncExitStack
from pathlib import Path

from gateway.recovery.backup import back_up
from gateway.recovery.narrator import Narrator
from gateway.recovery.recover import recover
from gateway.recovery.restore import restore
from gateway.settings import GatewaySettings
from gateway.store_lock import refuse_unfinished_restore, store_lock
from headway.contract.errors import HeadwayError
from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.clock import SystemClock
from headway.runtime.durability import check_durable
from headway.runtime.nats_bus import connect

USAGE = "python -m gateway [recover | backup FOLDER | restore FOLDER]"


class UnknownRole(ValueError):
    """The arguments name no role."""


async def run_role(settings: GatewaySettings, arguments: list[str]) -> int:
    """Do what the arguments say; what happens is told on stdout, a JSON object a line.

    Returns:
        0 when everything is there; 1 when something could not be brought back or copied, or the work was refused.

    Raises:
        UnknownRole: see USAGE.
    """
    narrator = Narrator()
    try:
        is_complete = await _work(settings, arguments, narrator)
    except HeadwayError as error:
        narrator.error(error.reason, error.message, int(error.code))
        return 1
    except OSError as error:
        narrator.error("IO_ERROR", str(error), 0)
        return 1
    return 0 if is_complete else 1


async def _work(settings: GatewaySettings, arguments: list[str], narrator: Narrator) -> bool:
    folder, clock = settings.home / "gateway", SystemClock()
    if settings.nats_monitor_url:
        await check_durable(settings.nats_monitor_url)
    async with AsyncExitStack() as stack:
        match arguments:
            case ["recover"] | ["restore", _]:
                # A backup is made beside a gateway that runs; these two are not.
                await stack.enter_async_context(store_lock(folder))
            case ["backup", _]:
                pass
            case _:
                raise UnknownRole(USAGE)
        bus = await stack.enter_async_context(connect(settings.nats_url.get_secret_value(), "gateway", clock=clock))
        await bus.provision(BUCKETS, STREAMS)
        match arguments:
            case ["backup", target]:
                return await back_up(bus, folder, Path(target), clock, narrator)
            case ["restore", source]:
                return await restore(bus, folder, Path(source), clock, narrator)
            case _:
                refuse_unfinished_restore(folder)
                return await recover(bus, folder, clock, narrator)
