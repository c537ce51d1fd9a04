import asyncio

import nats.errors
import pytest

from headway.cli.listen import connection
from headway.cli.listen.connection import Teller

STRANGER = nats.errors.Error("nats: 'Authorization Violation'")


async def test_a_refusal_is_kept_and_a_try_that_failed_is_not() -> None:
    teller = Teller()
    teller.refused(ConnectionRefusedError("nobody there"))
    assert (teller.is_stranger, teller.refusal) == (False, "")
    teller.refused(nats.errors.Error("nats: permissions violation for publish to x"))
    assert (teller.is_stranger, teller.refusal) == (False, "nats: permissions violation for publish to x")


async def test_a_user_who_is_no_longer_known_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(connection, "say", lambda text, _style: said.append(text))
    teller = Teller()
    teller.refused(STRANGER)
    assert (teller.is_stranger, said) == (True, [])  # The error that ends the command says it.
    teller.lost()
    for _ in range(3):
        teller.refused(STRANGER)
    assert [text for text in said if "refuses" in text] == [
        "nats-server refuses this user or password now; trying again ..."
    ]


async def test_a_connection_that_is_gone_for_good_ends_the_task_that_listens() -> None:
    async def listen() -> None:
        teller = Teller()
        asyncio.get_running_loop().call_soon(teller.closed)
        await asyncio.Event().wait()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(listen())
