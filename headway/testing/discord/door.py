"""What stands before every REST route: faults, the token, rate limits, and errors as Discord words them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from headway.runtime.clock import Clock
from headway.testing.discord.errors import ApiError, unauthorized
from headway.testing.discord.faults import Fault, FaultScript, Hang, Reply
from headway.testing.discord.rest import Answer, Route
from headway.testing.discord.traffic import RateLimits, RequestRecord, Traffic

_HANG_LOOK_SECONDS = 0.02
_TOKENLESS = ("/interactions/", "/webhooks/")
"""Routes whose address holds a token of its own."""


@dataclass(slots=True)
class Door:
    """Lets requests through to their routes.

    Attributes:
        prefix: of every path: `/api/v10`.
        token: of the bot.
    """

    prefix: str
    token: str
    faults: FaultScript
    traffic: Traffic
    limits: RateLimits
    clock: Clock

    def guard(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A route as aiohttp calls it."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            path = request.path.removeprefix(self.prefix)
            response = await self._answer(request, path, route)
            status = 0 if response is None else response.status
            self.traffic.note(RequestRecord(request.method, path, status, self.clock.monotonic()))
            if response is None:
                _cut(request)
                return web.Response(status=500)
            return response

        return guarded

    async def _answer(self, request: web.Request, path: str, route: Route) -> web.Response | None:
        fault = self.faults.take(request.method, path)
        if fault is None:
            return await self._carry_out(request, path, route)
        effect = fault.effect
        if isinstance(effect, Reply):
            return web.Response(status=effect.status, body=effect.body or None, headers=effect.headers)
        if isinstance(effect, Hang):
            await self._hang(fault, effect)
        elif effect.is_carried_out:
            await self._carry_out(request, path, route)
        return None

    async def _hang(self, fault: Fault, hang: Hang) -> None:
        begin = self.clock.monotonic()
        while self.faults.holds(fault) and (hang.seconds is None or self.clock.monotonic() - begin < hang.seconds):
            await self.clock.sleep(_HANG_LOOK_SECONDS)

    async def _carry_out(self, request: web.Request, path: str, route: Route) -> web.Response:
        headers: Mapping[str, str] = {}
        try:
            if not path.startswith(_TOKENLESS) and request.headers.get("Authorization") != f"Bot {self.token}":
                raise unauthorized()
            if request.method != "GET" and path.startswith("/channels/"):
                headers, refusal = self.limits.take(f"{request.method} {path.split('/')[2]}")
                if refusal is not None:
                    return web.Response(
                        status=refusal.status, body=refusal.body, headers={**refusal.headers, **headers}
                    )
            return _respond(await route(request), headers)
        except ApiError as error:
            return _as_json(error.status, error.body(), headers)


def _respond(answer: Answer, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=204, headers=headers) if answer is None else _as_json(200, answer, headers)


def _as_json(status: int, body: Answer, headers: Mapping[str, str]) -> web.Response:
    # Exactly this type: discord.py takes JSON with a charset for text.
    return web.Response(
        status=status, body=json.dumps(body).encode(), headers={**headers, "Content-Type": "application/json"}
    )


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
