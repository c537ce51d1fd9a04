"""Settings of a trainer host: the table [trainer_host] of headway.toml, or HEADWAY_TRAINER_HOST__..."""

import re
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from headway.contract.ids import HOST_PATTERN
from headway.contract.limits import GIB, HOST_SLOTS_MAX, MIB
from headway.runtime.address_list import AddressList
from headway.runtime.settings import AbsolutePath, ListenAddress, Section, SharedSettings


def default_host_id() -> str:
    """The machine's name, made to fit the pattern of host ids."""
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")
    return name[:63] or "host"


def _host_id(text: str) -> str:
    if not re.fullmatch(HOST_PATTERN, text, re.ASCII):
        raise ValueError(f"must follow {HOST_PATTERN}, such as gpu-1")
    return text


class TrainerHostSection(Section):
    """One trainer host."""

    host_id: Annotated[str, AfterValidator(_host_id)] = Field(default_factory=default_host_id)
    """Name of this host, unique on the platform; the machine's name by default."""

    mode: Literal["local", "host"] = "local"
    """local: beside the control plane. host: joined from another machine."""

    listen: ListenAddress = ListenAddress("127.0.0.1:7072")
    """Where TrainerHostService listens for operators."""

    gateway_address: str = "127.0.0.1:7070"
    """host:port of the gateway."""

    scheduler_address: AddressList = AddressList("127.0.0.1:7071")
    """host:port of the scheduler; of every scheduler, with commas between, where several run. The host finds out by
    itself which one leads."""

    num_slots: int = Field(default=1, ge=1, le=HOST_SLOTS_MAX)
    """Attempts that may train at a time. Each takes cores and memory of its own; more than cores slow all down."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Words that jobs may ask for; at most 64."""

    orphan_limit_seconds: float = Field(default=86_400.0, ge=1.0)
    """Attempts are stopped when the scheduler was not heard of for this long. Too low wastes work in an outage; too
    high lets a forgotten host compute in vain."""

    stop_limit_seconds: float = Field(default=20.0, gt=0)
    """A child that was told to stop is killed after this."""

    checkpoint_interval_seconds: float = Field(default=60.0, gt=0)
    """Longest time between two checkpoints; `policies.checkpoint_interval` of a job wins. A job that is over sooner
    saves none, and pays nothing."""

    checkpoint_interval_steps: int = Field(default=0, ge=0)
    """Most optimizer steps between two checkpoints; 0 means that only time counts."""

    checkpoint_limit_seconds: float = Field(default=20.0, ge=0)
    """An attempt that stops waits this long at most for the gateway to take its last checkpoint. Beyond that its end is
    reported without; the checkpoint stays on this host, and an attempt that comes back here goes on from it."""

    cache_limit_mib: int = Field(default=20 * GIB // MIB, ge=0)
    """Inputs kept on the disk for the next attempt, MiB; longest unused are deleted first."""

    input_limit_seconds: float = Field(default=600.0, gt=0)
    """An attempt whose inputs cannot be fetched within this fails and is tried again."""

    delivery_wait_max_seconds: float = Field(default=15.0, gt=0)
    """Longest wait between two tries to deliver a result. Tries never end: results stay until the gateway has them."""

    recipes: tuple[str, ...] = ()
    """Recipes beside the built-in ones, each as `kind=module:factory`."""


class TrainerHostSettings(SharedSettings):
    """All that a trainer host reads."""

    trainer_host: TrainerHostSection = TrainerHostSection()

    api_key: SecretStr | None = None
    """The host's key; wins over api_key_file."""

    api_key_file: AbsolutePath | None = None
    """File with the host's key, readable by its owner alone; `<home>/keys/local.key` when unset."""

    @property
    def host_dir(self) -> Path:
        """Everything that this host keeps."""
        return self.home / "hosts" / self.trainer_host.host_id

    @property
    def key_path(self) -> Path:
        """Where the host's key is read from, unless it was given itself."""
        return self.api_key_file or self.home / "keys" / "local.key"
