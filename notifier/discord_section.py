"""Settings of the Discord bot: table `[notifier.discord]`, or HEADWAY_NOTIFIER__DISCORD__..."""

import re
from typing import Self

from pydantic import Field, SecretStr, model_validator

from headway.runtime.settings import Section
from headway.runtime.settings_problems import WrongKey
from notifier.outside_urls import checked_url
from notifier.secret_files import SecretFile, secret_of

_SNOWFLAKE = re.compile(r"[0-9]{17,20}")
_ANY_ID = re.compile(r"[0-9]{1,20}")


class DiscordSection(Section):
    """The bot, the one person that it talks to, and how often. Off while no token is set."""

    token: SecretStr | None = None
    """Token of the bot; also read from DISCORD_TOKEN. Never printed."""

    token_file: SecretFile | None = None
    """File that holds the token, readable by its owner alone."""

    owner_id: str = ""
    """Discord's id of the one person that the bot talks and listens to; also read from DISCORD_OWNER_ID."""

    api_base: str = ""
    """Another address for Discord's REST interface, such as that of the fake; empty for Discord itself."""

    gateway_url: str = ""
    """Another address for Discord's websocket, ws:// or wss://; empty for Discord itself."""

    is_control_enabled: bool = False
    """Whether the owner may pause, resume and cancel jobs from Discord, by command and by button."""

    watch_all: bool = True
    """Whether every new job is watched by itself, until the owner says otherwise."""

    heartbeat_seconds: float = Field(default=300.0, ge=60.0, le=3600.0)
    """How often a live embed says that the job goes on, even where nothing else has changed."""

    edit_seconds: float = Field(default=15.0, ge=5.0, le=600.0)
    """Least time between two edits of one live embed. Too low: Discord slows everything down."""

    messages_per_minute: float = Field(default=30.0, gt=0.0, le=60.0)
    """Most messages in a minute, on average; what comes faster is told together."""

    @property
    def is_enabled(self) -> bool:
        """Whether a token is set."""
        return bool(secret_of(self.token, self.token_file))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it talks to something else than Discord itself."""
        return bool(self.api_base or self.gateway_url)

    def bot_token(self) -> SecretStr:
        """The token; only while enabled.

        Raises:
            WrongKey: there is none.
        """
        token = secret_of(self.token, self.token_file)
        if token is None:
            raise WrongKey("token", "must be set")
        return token

    @property
    def owner(self) -> int:
        """The owner's id as Discord's library wants it; only while enabled."""
        return int(self.owner_id)

    @model_validator(mode="after")
    def _refuse_a_bot_without_an_owner(self) -> Self:
        if not self.is_enabled:
            return self
        pattern = _ANY_ID if self.is_elsewhere else _SNOWFLAKE
        if pattern.fullmatch(self.owner_id) is None:
            raise WrongKey(
                "owner_id",
                "must be your own Discord id, 17 to 20 digits, when a token is set; set DISCORD_OWNER_ID to it: in "
                "Discord, Settings, Advanced, Developer Mode; then right-click your name, Copy User ID",
            )
        if bool(self.api_base) != bool(self.gateway_url):
            key = "gateway_url" if self.api_base else "api_base"
            raise WrongKey(
                key, "must be set with the other address, or both be empty: the token would go to two places"
            )
        if self.api_base:
            _check("api_base", self.api_base, ("https", "http"))
            _check("gateway_url", self.gateway_url, ("wss", "ws"))
        return self


def _check(key: str, url: str, schemes: tuple[str, str]) -> None:
    try:
        checked_url(url, schemes=schemes)
    except ValueError as error:
        raise WrongKey(key, str(error)) from error
