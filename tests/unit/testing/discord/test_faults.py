import json

from headway.testing.discord import faults
from headway.testing.discord.faults import FaultScript


def test_a_fault_meets_so_many_requests_and_no_more() -> None:
    script = FaultScript()
    fault = script.add("POST", "/channels/*/messages", faults.empty(), times=2)
    assert script.take("GET", "/channels/1/messages") is None
    assert script.take("POST", "/users/@me") is None
    assert script.take("POST", "/channels/1/messages") is fault
    assert script.take("POST", "/channels/2/messages") is fault
    assert script.take("POST", "/channels/1/messages") is None
    assert fault.num_hits == 2


def test_the_first_fault_decides_and_one_without_an_end_goes_on_until_it_is_removed() -> None:
    script = FaultScript()
    lasting = script.add("*", "*", faults.html(), times=None)
    script.add("GET", "/x", faults.empty())
    assert [script.take("GET", "/x") for _ in range(3)] == [lasting] * 3
    script.remove(lasting)
    assert script.take("GET", "/x") is not None
    script.clear()
    assert script.take("GET", "/x") is None


def test_a_429_says_how_long_in_its_header_and_its_body() -> None:
    reply = faults.rate_limited(1.25, is_global=True)
    assert (reply.status, reply.headers["Retry-After"], reply.headers["X-RateLimit-Global"]) == (429, "2", "true")
    assert json.loads(reply.body) == {
        "message": "You are being rate limited.",
        "retry_after": 1.25,
        "global": True,
    }
    # Both are what discord.py tells Discord and Cloudflare apart by.
    assert "Via" in reply.headers
    assert "Via" not in faults.banned().headers


def test_errors_bear_discords_code_and_sentence() -> None:
    reply = faults.error(403, 50278)
    assert json.loads(reply.body)["code"] == 50278
    assert "mutual" in json.loads(reply.body)["message"]
    assert reply.headers["Content-Type"] == "application/json"
