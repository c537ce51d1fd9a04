"""Who may ask a trainer host: whoever shows the host's own key, for a host has no view of the platform's keys."""

import hmac

from headway.contract.access import ALL_PROJECTS, Scope
from headway.contract.errors import InvalidKey, MissingKey
from headway.runtime import keys
from headway.runtime.principal import Principal


class OwnKeyAuthenticator:
    """Lets in the one key that the host itself uses."""

    def __init__(self, key: str) -> None:
        self._sha256 = keys.digest(key)
        self._operator = Principal(
            key_id=keys.parse(key),
            user_id="operator",
            scopes=frozenset({Scope.ADMIN.value}),
            projects=frozenset({ALL_PROJECTS}),
        )

    async def authenticate(self, key: str | None) -> Principal:
        """The operator.

        Raises:
            MissingKey: no key was shown.
            InvalidKey: it is not this host's.
        """
        if not key:
            raise MissingKey("This host wants a key in the metadata x-api-key.")
        if not hmac.compare_digest(keys.digest(key), self._sha256):
            raise InvalidKey(keys.INVALID_KEY_MESSAGE)
        return self._operator
