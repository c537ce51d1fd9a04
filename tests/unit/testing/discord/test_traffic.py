from headway.testing.clock import ManualClock
from headway.testing.discord.traffic import Rate, RateLimits, RequestRecord, Traffic


def test_requests_are_counted_by_route_and_by_what_became_of_them() -> None:
    traffic = Traffic()
    for method, path, status in [("POST", "/a/1", 200), ("POST", "/a/2", 429), ("GET", "/b", 403), ("GET", "/b", 500)]:
        traffic.note(RequestRecord(method, path, status, 0.0))
    assert traffic.count("POST", "/a/*") == 2
    assert traffic.count("POST", "/a/*", 200) == 1
    assert traffic.count() == 4
    assert traffic.num_invalid == 2


async def test_what_is_too_much_is_refused_until_the_window_is_over() -> None:
    clock = ManualClock()
    limits = RateLimits(Rate(2, 5.0), clock)
    headers, refusal = limits.take("POST 1")
    assert (refusal, headers["X-RateLimit-Remaining"]) == (None, "1")
    limits.take("POST 1")
    await clock.advance(2)
    headers, refusal = limits.take("POST 1")
    assert refusal is not None
    assert (refusal.headers["Retry-After"], headers["X-RateLimit-Reset-After"]) == ("3", "3.000")
    assert limits.take("POST 2")[1] is None
    await clock.advance(3)
    assert limits.take("POST 1")[1] is None


def test_without_a_rate_nothing_is_limited() -> None:
    limits = RateLimits(None, ManualClock())
    assert [limits.take("POST 1") for _ in range(100)] == [({}, None)] * 100
