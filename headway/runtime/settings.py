"""Settings: `headway.toml` and the environment into one frozen model; whatever is not understood is refused.

Shared keys stand at the top of the file, each service has a table of its own:

    nats_url = "nats://127.0.0.1:4222"

    [gateway]
    listen = "127.0.0.1:7070"

The environment wins: `HEADWAY_NATS_URL`, `HEADWAY_GATEWAY__LISTEN`. `TRAINING_DEFAULT_MODE` is read without the prefix.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from headway.runtime.listen_address import ListenAddress
from headway.runtime.settings_problems import SettingsError, describe, unknown_variables
from headway.runtime.settings_sources import EnvironmentSource, TomlSource, config_path

__all__ = ["ListenAddress", "Section", "SettingsError", "SharedSettings", "load", "load_or_exit"]

S = TypeVar("S", bound="SharedSettings")


def _absolute(path: Path) -> Path:
    expanded = path.expanduser()
    if not expanded.is_absolute():
        raise ValueError("must be an absolute path (or begin with ~)")
    return expanded


def _nats_url(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in {"nats", "tls"} or not parts.hostname:
        raise ValueError("must be nats://host:port (or tls://host:port)")
    return url


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Section(BaseModel):
    """The settings of one component; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SharedSettings(BaseSettings):
    """What all services share. A service adds one field, named as the service, with its `Section`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="HEADWAY_",
        env_nested_delimiter="__",
        use_attribute_docstrings=True,
    )

    environment_source: ClassVar[type[EnvironmentSource]] = EnvironmentSource
    """What reads the environment; a service that knows variables without the prefix names one of its own."""

    home: AbsolutePath = Path("~/.headway").expanduser()
    """Directory of everything that headway keeps on this machine."""

    data_root: AbsolutePath | None = None
    """Directory below which data paths of jobs are looked up; `<home>/data` when unset."""

    nats_url: Annotated[SecretStr, AfterValidator(_nats_url)] = SecretStr("nats://127.0.0.1:4222")
    """Where nats-server listens, with user and password where it asks for them. Never printed."""

    nats_monitor_url: str = "http://127.0.0.1:8222"
    """Monitoring port of nats-server, asked once at start whether it writes to disk before it acknowledges."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe line that is logged."""

    training_default_mode: Literal["auto", "local", "host"] = "auto"
    """Execution mode of jobs that name none, until it is changed at run time."""

    insecure_bind: bool = False
    """Allow services to listen beyond this machine without TLS. Keys then travel readable."""

    certificate_file: AbsolutePath | None = None
    """PEM certificate chain of the services; with `key_file` they speak TLS."""

    key_file: AbsolutePath | None = None
    """PEM private key of the services."""

    ca_file: AbsolutePath | None = None
    """PEM certificate authority of the services; with it this service calls the others over TLS."""

    @property
    def data_path(self) -> Path:
        """The directory below which data paths are looked up."""
        return self.data_root if self.data_root is not None else self.home / "data"

    @property
    def has_tls(self) -> bool:
        """Whether services speak TLS."""
        return self.certificate_file is not None and self.key_file is not None

    def nats_address(self) -> str:
        """Host and port of nats-server, fit to be printed."""
        return urlsplit(self.nats_url.get_secret_value()).netloc.rpartition("@")[2]

    @model_validator(mode="after")
    def _refuse_open_doors(self) -> Self:
        if self.insecure_bind or self.has_tls:
            return self
        for place, address in _listen_addresses(self):
            if not address.is_loopback:
                raise ValueError(
                    f"{place}: {address} can be reached from other machines and keys would travel readable; "
                    "set certificate_file and key_file, listen on 127.0.0.1, or set insecure_bind = true"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings calls it by name
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then `headway.toml`."""
        return init_settings, cls.environment_source(settings_cls), TomlSource(settings_cls, config_path())


def load(model: type[S]) -> S:
    """Read the settings of one service, once.

    Raises:
        SettingsError: a key is unknown or a value is out of its bounds; the message names key, bounds and remedy.
    """
    problems = unknown_variables(model, os.environ)
    try:
        loaded = model()
    except ValidationError as error:
        raise SettingsError([*problems, *describe(error, model)]) from None
    except UnreadableVariable as error:
        raise SettingsError([*problems, f"{error}; set the single keys of the section instead"]) from None
    if problems:
        raise SettingsError(problems)
    return loaded


def load_or_exit(model: type[S]) -> S:
    """As `load`; prints what is wrong and ends the process with code 2."""
    try:
        return load(model)
    except SettingsError as error:
        _exit(error)


def _exit(error: SettingsError) -> NoReturn:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)


def _listen_addresses(settings: BaseModel, path: str = "") -> Iterator[tuple[str, ListenAddress]]:
    for name in type(settings).model_fields:
        value: object = getattr(settings, name)
        if isinstance(value, ListenAddress):
            yield path + name, value
        elif isinstance(value, BaseModel):
            yield from _listen_addresses(value, f"{path}{name}.")
