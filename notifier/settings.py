"""The notifier's own settings: table `[notifier]`, or HEADWAY_NOTIFIER__..."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr, model_validator

from headway.runtime.settings import AbsolutePath, ListenAddress, Section, SharedSettings
from headway.runtime.settings_problems import WrongKey
from headway.runtime.settings_sources import EnvironmentSource
from notifier.batching import BatchRules
from notifier.discord_section import DiscordSection
from notifier.plain_variables import NotifierEnvironment
from notifier.quiet_hours import QuietHours, parse_quiet_hours
from notifier.webhook.section import WebhookSection


def _zone_name(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be the name of a time zone, such as Europe/Berlin") from error
    return name


class NotifierSection(Section):
    """Where it listens, where messages go, and what makes one message. The log is always one of the places."""

    listen: ListenAddress = ListenAddress("127.0.0.1:7073")
    """Where the health check is answered."""

    gateway_address: str = "127.0.0.1:7070"
    """host:port of the gateway, which answers the owner's questions."""

    batch_window_seconds: float = Field(default=2.0, ge=0.0, le=60.0)
    """Least time between two messages; what comes within it is told together. Too low: many messages. Too high: late
    ones."""

    batch_gather_seconds: float = Field(default=0.1, ge=0.0, le=10.0)
    """How long the first event behind a silence waits for those that come with it."""

    max_sections: int = Field(default=10, ge=1, le=10)
    """Jobs in one message; Discord takes ten."""

    late_after_seconds: float = Field(default=60.0, ge=1.0, le=86_400.0)
    """When an event older than this waits, each job is told in one piece, and ended jobs before all others."""

    quiet_hours: str = ""
    """Hours without a sound, such as 22:00-07:00: only ends of jobs are told, silently; the rest comes afterwards. The
    log knows no quiet hours."""

    time_zone: Annotated[str, AfterValidator(_zone_name)] = "UTC"
    """Time zone of the quiet hours, such as Europe/Berlin."""

    webhook: WebhookSection = WebhookSection()
    """Messages to a program of the user's own."""

    discord: DiscordSection = DiscordSection()
    """Messages to the owner's Discord."""

    @property
    def log_rules(self) -> BatchRules:
        """What makes a message in the log."""
        return BatchRules(
            window_seconds=self.batch_window_seconds,
            gather_seconds=self.batch_gather_seconds,
            max_sections=self.max_sections,
            late_after=timedelta(seconds=self.late_after_seconds),
        )

    @property
    def quiet(self) -> QuietHours | None:
        """The hours without a sound; None where there are none."""
        # Machines without a list of time zones need one only for hours that are set.
        return parse_quiet_hours(self.quiet_hours, ZoneInfo(self.time_zone)) if self.quiet_hours else None

    @model_validator(mode="after")
    def _refuse_hours_that_are_none(self) -> Self:
        try:
            _ = self.quiet
        except ValueError as error:
            raise WrongKey("quiet_hours", str(error)) from error
        return self


class NotifierSettings(SharedSettings):
    """All settings of the notifier."""

    environment_source: ClassVar[type[EnvironmentSource]] = NotifierEnvironment

    notifier: NotifierSection = NotifierSection()

    api_key: SecretStr | None = None
    """The key that the bot asks the gateway with; wins over api_key_file."""

    api_key_file: AbsolutePath | None = None
    """File with that key, readable by its owner alone; `<home>/keys/local.key` when unset."""

    @property
    def key_path(self) -> Path:
        """Where the key is read from, unless it was given itself."""
        return self.api_key_file or self.home / "keys" / "local.key"
