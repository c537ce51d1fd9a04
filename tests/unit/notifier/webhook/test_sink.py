"""A real receiver on loopback, and every way in which one can fail (F50 and F51 for webhooks)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from headway.runtime.clock import SystemClock
from headway.runtime.redaction import Redactor
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from headway.testing.webhooks import OK, Answer, WebhookReceiver, webhook_receiver
from notifier.messages import Message, clean_message
from notifier.rules import section_of
from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable
from notifier.webhook.sink import WebhookSink, open_webhook_sink
from tests.unit.notifier.doubles import a_finished_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_message() -> Message:
    happenings = happenings_of(a_finished_job(NOW))
    return clean_message([section_of(happening, now=NOW) for happening in happenings], Redactor().clean)


@asynccontextmanager
async def sink_to(url: str, secret: str, limit_seconds: float = 20.0) -> AsyncIterator[WebhookSink]:
    async with open_webhook_sink(SecretStr(url), SecretStr(secret), SystemClock(), limit_seconds=limit_seconds) as sink:
        yield sink


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as running:
        yield running


@pytest.fixture
async def sink(receiver: WebhookReceiver) -> AsyncIterator[WebhookSink]:
    async with sink_to(receiver.url, receiver.secret) as opened:
        yield opened


async def test_a_message_arrives_signed_and_a_repeat_has_the_same_id(
    receiver: WebhookReceiver, sink: WebhookSink
) -> None:
    message = a_message()
    await sink.send(message)
    await sink.send(message)
    await sink.send(a_message())
    assert receiver.num_forged == 0
    first, again, other = receiver.deliveries
    assert first.webhook_id == again.webhook_id == message.nonce != other.webhook_id
    assert first.event_ids == [section.event_id for section in message.sections]
    assert len(receiver.event_ids) == 8  # The repeat was seen as one.


async def test_who_does_not_know_the_secret_is_turned_away(receiver: WebhookReceiver) -> None:
    async with sink_to(receiver.url, "whsec_" + "QUJD" * 8) as stranger:
        with pytest.raises(SinkShut, match="401"):
            await stranger.send(a_message())
    assert (receiver.num_forged, receiver.deliveries) == (1, [])


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_receiver_is_tried_again(receiver: WebhookReceiver, sink: WebhookSink, status: int) -> None:
    receiver.answers.append(Answer(status=status, body="<html>oops</html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(SinkUnavailable, match=str(status)):
        await sink.send(a_message())
    await sink.send(a_message())


async def test_a_page_for_people_is_an_answer_like_any_other(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    receiver.answers.append(Answer(status=200, body="<html>" * 100_000, headers={"Content-Type": "text/html"}))
    await sink.send(a_message())
    await sink.send(a_message())


async def test_it_waits_as_long_as_it_is_asked_to(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    receiver.answers.append(Answer(status=429, headers={"Retry-After": "17"}))
    with pytest.raises(SinkUnavailable) as error:
        await sink.send(a_message())
    assert (error.value.retry_after_seconds, error.value.may_have_arrived) == (17.0, False)


async def test_a_redirection_is_not_followed(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    """It could lead inside, or to somebody who must not read this."""
    async with webhook_receiver() as elsewhere:
        receiver.answers.append(Answer(status=307, headers={"Location": elsewhere.url}))
        with pytest.raises(SinkShut, match="307"):
            await sink.send(a_message())
        assert (elsewhere.deliveries, elsewhere.num_forged) == ([], 0)


async def test_a_receiver_that_wants_no_more_is_left_alone(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    receiver.answers.append(Answer(status=410))
    with pytest.raises(SinkShut) as error:
        await sink.send(a_message())
    assert "remove notifier.webhook.url" in error.value.remedy


async def test_what_a_receiver_cannot_use_is_refused(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    receiver.answers.append(Answer(status=422))
    with pytest.raises(SinkRefused):
        await sink.send(a_message())


async def test_a_connection_that_is_cut_off_may_have_brought_it(receiver: WebhookReceiver, sink: WebhookSink) -> None:
    for _ in range(2):
        # The first of them on a connection that was used before, where a client could be tempted to try by itself.
        await sink.send(a_message())
        receiver.answers.append(Answer(is_reset=True))
        num_before = len(receiver.deliveries)
        with pytest.raises(SinkUnavailable) as error:
            await sink.send(a_message())
        assert error.value.may_have_arrived
        assert len(receiver.deliveries) == num_before + 1


async def test_a_receiver_that_hangs_holds_nothing_up_for_long(receiver: WebhookReceiver) -> None:
    receiver.answers.append(Answer(is_hang=True))
    async with sink_to(receiver.url, receiver.secret, limit_seconds=0.2) as sink:
        with pytest.raises(SinkUnavailable, match="TimeoutError") as error:
            await sink.send(a_message())
    assert error.value.may_have_arrived


async def test_nobody_there_means_that_it_has_not_arrived() -> None:
    async with sink_to(f"http://127.0.0.1:{free_port()}/services/T000", "whsec_" + "QUJD" * 8) as sink:
        with pytest.raises(SinkUnavailable) as error:
            await sink.send(a_message())
    assert not error.value.may_have_arrived
    assert "T000" not in str(error.value)


async def test_no_fault_says_the_address_or_the_secret(
    receiver: WebhookReceiver, sink: WebhookSink, caplog: pytest.LogCaptureFixture
) -> None:
    """P30: the address may be a secret."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    for answer in (OK, *(Answer(status=status) for status in (301, 400, 404, 500)), Answer(is_reset=True)):
        receiver.answers.append(answer)
        try:
            await sink.send(a_message())
        except (SinkUnavailable, SinkRefused, SinkShut) as error:
            said.append(repr(error) + repr(error.__cause__) + getattr(error, "remedy", ""))
    assert len(said) == 5
    for secret in (receiver.url, receiver.secret, receiver.secret.removeprefix("whsec_")):
        assert secret not in caplog.text + "".join(said)


async def test_to_be_told_to_stop_in_the_middle_leaves_nothing_behind(receiver: WebhookReceiver) -> None:
    receiver.answers.append(Answer(is_hang=True))
    async with sink_to(receiver.url, receiver.secret) as sink:
        sending = asyncio.create_task(sink.send(a_message()))
        await eventually(lambda: receiver.deliveries)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await sink.send(a_message())
    assert len(receiver.processed) == 1
