from datetime import UTC, datetime

import aiohttp
import discord
import pytest

from notifier.discord.faults import (
    BAD_INTENTS,
    NO_LOGIN,
    MessageGone,
    is_for_good,
    retry_after_seconds,
    shut_by_gateway,
    trouble_of,
)
from notifier.sinks import SinkShut, SinkUnavailable

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-1", 0.0), ("Tue, 01 Jan 2030 00:01:00 GMT", 60.0), ("soon", None), ("", None)],
)
def test_a_retry_after_is_read_in_both_its_forms(text: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": text}, NOW) == seconds


def test_what_may_have_arrived_is_told_apart() -> None:
    lost = trouble_of(aiohttp.ServerDisconnectedError(), now=NOW)
    assert isinstance(lost, SinkUnavailable)
    assert lost.may_have_arrived
    odd = trouble_of(KeyError("retry_after"), now=NOW)
    assert isinstance(odd, SinkUnavailable)
    assert odd.may_have_arrived
    slow = trouble_of(discord.RateLimited(90.0), now=NOW)
    assert isinstance(slow, SinkUnavailable)
    assert (slow.retry_after_seconds, slow.may_have_arrived) == (90.0, False)


def test_trouble_stays_what_it_is() -> None:
    for known in (SinkUnavailable("a"), SinkShut("b", remedy="c"), MessageGone("d")):
        assert trouble_of(known, now=NOW) is known


def test_only_a_person_can_help_against_a_wrong_token_and_wrong_intents() -> None:
    for error, remedy in ((discord.LoginFailure(), NO_LOGIN), (discord.PrivilegedIntentsRequired(None), BAD_INTENTS)):
        shut = shut_by_gateway(error)
        assert shut is not None
        assert shut.remedy == remedy
        assert is_for_good(shut)
    assert shut_by_gateway(OSError()) is None
    assert shut_by_gateway(AttributeError()) is None
    assert not is_for_good(SinkShut("a", remedy="make a server"))
