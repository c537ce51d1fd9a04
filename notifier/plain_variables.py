"""DISCORD_TOKEN and DISCORD_OWNER_ID without the prefix, as bots have always been given them."""

import os

from headway.runtime.settings_sources import EnvironmentSource

_PLAIN = {"DISCORD_TOKEN": "token", "DISCORD_OWNER_ID": "owner_id"}


class NotifierEnvironment(EnvironmentSource):
    """`HEADWAY_...` variables, and the two of Discord; the variable with the prefix wins."""

    def __call__(self) -> dict[str, object]:
        """The values found, by field."""
        found = super().__call__()
        plain = {field: os.environ[name] for name, field in _PLAIN.items() if os.environ.get(name)}
        if not plain:
            return found
        notifier = _table(found, "notifier")
        return found | {"notifier": notifier | {"discord": plain | _table(notifier, "discord")}}


def _table(found: dict[str, object], name: str) -> dict[str, object]:
    inner = found.get(name)
    return {str(key): value for key, value in inner.items()} if isinstance(inner, dict) else {}
