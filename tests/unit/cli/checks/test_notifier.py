"""The doctor's look at the notifier."""

from pathlib import Path

from headway.cli.checks.notifier import check_notifier
from headway.cli.checks.verdict import Health
from headway.contract.errors import InvalidKey
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.principal import Principal
from headway.runtime.run_file import announced


class Closed:
    async def authenticate(self, key: str | None) -> Principal:
        raise InvalidKey("no calls")


async def test_each_place_that_is_set_up_has_a_line(tmp_path: Path) -> None:
    async with (
        GrpcServer("127.0.0.1:0", authenticator=Closed(), scopes={}) as server,
        announced(tmp_path, "notifier", server.address),
    ):
        await server.set_serving("headway.notifier.log", is_serving=True)
        await server.set_serving("headway.notifier.discord", is_serving=False)
        verdicts = [verdict async for verdict in check_notifier(tmp_path, None)]
    assert [(verdict.health, verdict.detail.partition(":")[0]) for verdict in verdicts] == [
        (Health.OK, "tells by log"),
        (Health.FAIL, "nothing gets through by discord"),
    ]
    assert verdicts[1].fix == "logs/notifier.log says what to do"


async def test_a_notifier_that_does_not_run_is_a_fault(tmp_path: Path) -> None:
    [verdict] = [verdict async for verdict in check_notifier(tmp_path, None)]
    assert (verdict.health, verdict.is_reachability) == (Health.FAIL, False)
