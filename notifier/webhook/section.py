"""Settings of the webhook: table `[notifier.webhook]`, or HEADWAY_NOTIFIER__WEBHOOK__..."""

import base64
import binascii
from typing import Self

from pydantic import Field, SecretStr, model_validator

from headway.runtime.settings import Section
from headway.runtime.settings_problems import WrongKey
from notifier.outside_urls import checked_url
from notifier.secret_files import SecretFile, secret_of

MIN_SECRET_BYTES = 24
_PREFIX = "whsec_"
_MAKE_ONE = "make one with: echo whsec_$(openssl rand -base64 32)"


class WebhookSection(Section):
    """Where messages are posted, and the secret that signs them. Off while no URL is set."""

    url: SecretStr | None = None
    """Address that takes messages: https, or http on this machine. Never printed: it may be a secret itself."""

    url_file: SecretFile | None = None
    """File that holds the URL, readable by its owner alone."""

    secret: SecretStr | None = None
    """Signs what is sent: whsec_ and the base64 of 24 bytes or more. The receiver knows it too."""

    secret_file: SecretFile | None = None
    """File that holds the secret, readable by its owner alone."""

    is_plain_http_allowed: bool = False
    """Allow http:// to other machines: everybody on the way can then read what is sent."""

    limit_seconds: float = Field(default=10.0, gt=0.0, le=60.0)
    """How long one delivery may take. Too low: slow receivers get messages twice. Too high: a hang holds others up."""

    messages_per_minute: float = Field(default=60.0, gt=0.0, le=6000.0)
    """Most messages in a minute, on average; what comes faster is told together."""

    @property
    def is_enabled(self) -> bool:
        """Whether an address is set."""
        return bool(secret_of(self.url, self.url_file))

    def address(self) -> SecretStr:
        """Where to post; only while enabled.

        Raises:
            WrongKey: there is no address.
        """
        url = secret_of(self.url, self.url_file)
        if url is None:
            raise WrongKey("url", "must be set")
        return url

    def signing_secret(self) -> SecretStr:
        """What signs; only while enabled.

        Raises:
            WrongKey: there is no secret.
        """
        secret = secret_of(self.secret, self.secret_file)
        if secret is None:
            raise WrongKey("secret", f"must be set when a url is: a receiver could not tell who speaks; {_MAKE_ONE}")
        return secret

    @model_validator(mode="after")
    def _refuse_what_would_not_be_safe(self) -> Self:
        if self.is_enabled:
            try:
                checked_url(self.address().get_secret_value(), is_plain_allowed=self.is_plain_http_allowed)
            except ValueError as error:
                raise WrongKey("url", str(error)) from error
            _check_secret(self.signing_secret().get_secret_value())
        return self


def _check_secret(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise WrongKey("secret", f"must be whsec_ and base64; {_MAKE_ONE}") from error
    if not secret.startswith(_PREFIX) or len(key) < MIN_SECRET_BYTES:
        raise WrongKey("secret", f"must be whsec_ and the base64 of {MIN_SECRET_BYTES} bytes or more; {_MAKE_ONE}")
