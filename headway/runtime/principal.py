"""Who is calling: what the authentication of a call found out, carried in the call's context."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from headway.contract.access import ALL_PROJECTS, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller.

    Attributes:
        key_id: of the key that was shown; safe to log.
        user_id: the user that the key acts for.
        scopes: of submit, read, control, host, admin; admin implies the others.
        projects: ids it may touch; `*` for all.
        host_id: the one trainer host that a host key is for; empty for any.
    """

    key_id: str
    user_id: str
    scopes: frozenset[str]
    projects: frozenset[str]
    host_id: str = ""

    def may(self, scope: str) -> bool:
        """Whether the caller holds the scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_touch(self, project: str) -> bool:
        """Whether the caller has any right on the project."""
        return project in self.projects or ALL_PROJECTS in self.projects


class Authenticator(Protocol):
    """Turns the key of a call into a caller."""

    async def authenticate(self, key: str | None) -> Principal:
        """The caller.

        Raises:
            MissingKey: `key` is None.
            InvalidKey: malformed, unknown, revoked or expired; the same text for all.
            StoreUnavailable: the keys cannot be read.
        """
        ...


_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """The caller of the RPC that is being handled.

    Raises:
        LookupError: outside a call that was authenticated.
    """
    return _principal.get()


def set_principal(principal: Principal) -> None:
    """Make `principal` the caller for the rest of this task; the auth interceptor's business."""
    _principal.set(principal)


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Make `principal` the caller within a block, for tests of handlers."""
    token = _principal.set(principal)
    try:
        yield
    finally:
        _principal.reset(token)
