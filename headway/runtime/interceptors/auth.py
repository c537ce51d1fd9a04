"""Lets a call in: finds the caller by its key, then asks for the scope that the method needs."""

from collections.abc import Collection, Mapping

from headway.contract.errors import ScopeDenied
from headway.runtime.interceptors.metadata import Metadata, read_key
from headway.runtime.logs import bind
from headway.runtime.principal import Authenticator, set_principal

EXEMPT_SERVICES = ("/grpc.health.", "/grpc.reflection.")
"""Open to all: they tell nothing about jobs, and probes carry no keys."""


class Access:
    """The keys and the table of scopes."""

    def __init__(self, authenticator: Authenticator, scopes: Mapping[str, Collection[str]]) -> None:
        """Args: authenticator: of keys. scopes: by method, `/package.Service/Method`; one of them suffices."""
        self._authenticator = authenticator
        self._scopes = scopes

    def is_exempt(self, method: str) -> bool:
        """Whether the method needs no key."""
        return method.startswith(EXEMPT_SERVICES)

    async def admit(self, method: str, metadata: Metadata | None) -> None:
        """Make the caller the current principal.

        Raises:
            MissingKey: no key.
            InvalidKey: no valid key.
            ScopeDenied: the key lacks the method's scope; a method without a scope is closed to all.
            StoreUnavailable: the keys cannot be read.
        """
        principal = await self._authenticator.authenticate(read_key(metadata))
        scopes = self._scopes.get(method, ())
        if not any(principal.may(scope) for scope in scopes):
            needed = " or ".join(sorted(scopes)) or "none that exists"
            raise ScopeDenied(
                f"The key lacks the scope '{needed}', which {method.lstrip('/')} needs.",
                metadata={"scope": needed, "method": method.lstrip("/")},
            )
        set_principal(principal)
        bind(key_id=principal.key_id)
