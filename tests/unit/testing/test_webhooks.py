"""The receiver of webhooks is as strict as the specification, and fails as it is told to."""

import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from headway.testing.webhooks import Answer, WebhookReceiver, webhook_receiver

BODY = json.dumps({"text": "x", "silent": False, "sections": [{"event_id": "j:2", "earlier": [{"event_id": "j:1"}]}]})


def signed(secret: str, body: str = BODY, webhook_id: str = "a", *, age: timedelta = timedelta()) -> dict[str, str]:
    moment = datetime.now(UTC) - age
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, moment, body),
    }


async def post(receiver: WebhookReceiver, headers: dict[str, str], body: str = BODY) -> int:
    async with aiohttp.ClientSession() as session, session.post(receiver.url, data=body, headers=headers) as answer:
        return answer.status


async def test_only_what_is_signed_lately_and_as_it_stands_is_taken() -> None:
    async with webhook_receiver() as receiver:
        secret = receiver.secret
        assert await post(receiver, signed(secret)) == 204
        forgeries = [
            signed("whsec_" + "QUJD" * 8),
            signed(secret, age=timedelta(minutes=6)),
            signed(secret, BODY + " "),
            signed(secret) | {"webhook-id": "b"},
            {},
        ]
        for headers in forgeries:
            assert await post(receiver, headers) == 401
        assert (receiver.num_forged, len(receiver.deliveries)) == (len(forgeries), 1)


async def test_repeats_are_kept_and_seen_as_one() -> None:
    async with webhook_receiver() as receiver:
        receiver.answers.append(Answer(status=500, is_processed=True))
        receiver.answers.append(Answer(status=503))
        for webhook_id in ("a", "b", "a"):
            await post(receiver, signed(receiver.secret, webhook_id=webhook_id))
        assert [delivery.answer.status for delivery in receiver.deliveries] == [500, 503, 204]
        assert [delivery.webhook_id for delivery in receiver.processed] == ["a", "a"]
        assert receiver.event_ids == ["j:1", "j:2"]


async def test_it_fails_as_it_is_told_to() -> None:
    async with webhook_receiver() as receiver:
        receiver.answers.append(Answer(is_reset=True))
        with pytest.raises(aiohttp.ClientError):
            await post(receiver, signed(receiver.secret))
        receiver.answers.append(Answer(is_hang=True))
        limit = aiohttp.ClientTimeout(total=0.1)
        async with aiohttp.ClientSession(timeout=limit) as session:
            with pytest.raises(TimeoutError):
                await session.post(receiver.url, data=BODY, headers=signed(receiver.secret))
        receiver.always = Answer(status=410)
        assert [await post(receiver, signed(receiver.secret)) for _ in range(2)] == [410, 410]
