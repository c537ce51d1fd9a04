"""deploy/compose.standby.yaml: a second scheduler that everybody else knows of."""

from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose
from pydantic import BaseModel, ConfigDict, Field

from gateway.settings import GatewaySettings
from headway.runtime.settings import SharedSettings, load
from scheduler.settings import SchedulerSettings
from tests.contract.deployment import DEPLOY, read_compose
from trainer_host.settings import TrainerHostSettings

STANDBY = DEPLOY / "compose.standby.yaml"
ADDRESSES = ("scheduler:7071", "scheduler-standby:7071")


class Extends(BaseModel):
    """What a service is like, but for what it says itself."""

    file: str
    service: str


class Service(BaseModel):
    """What is said of one service."""

    model_config = ConfigDict(extra="ignore")
    extends: Extends | None = None
    environment: dict[str, str]
    volumes: list[str] = Field(default_factory=list)


class Overlay(BaseModel):
    """The file."""

    services: dict[str, Service]
    volumes: dict[str, None]


OVERLAY = Overlay.model_validate(yaml.safe_load(STANDBY.read_text(encoding="utf-8")))


def test_the_file_follows_the_specification() -> None:
    PyCompose.from_yaml(STANDBY.read_text(encoding="utf-8")).validate()


def test_the_standby_is_the_scheduler_with_a_folder_of_its_own() -> None:
    standby = OVERLAY.services["scheduler-standby"]
    assert standby.extends == Extends(file="compose.yaml", service="scheduler")
    assert "scheduler" in read_compose().services
    assert standby.volumes == ["scheduler-standby:/var/lib/headway"]
    assert list(OVERLAY.volumes) == ["scheduler-standby"]
    assert set(OVERLAY.services) - {"scheduler-standby"} <= set(read_compose().services)


@pytest.mark.parametrize(
    ("service", "settings"),
    [
        ("scheduler", SchedulerSettings),
        ("scheduler-standby", SchedulerSettings),
        ("gateway", GatewaySettings),
        ("trainer-host", TrainerHostSettings),
    ],
)
def test_what_each_service_is_told_is_understood(
    service: str, settings: type[SharedSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path))
    for name, value in OVERLAY.services[service].environment.items():
        monkeypatch.setenv(name, value)
    loaded = load(settings)
    if isinstance(loaded, GatewaySettings):
        assert loaded.gateway.scheduler_address.each == ADDRESSES
    elif isinstance(loaded, TrainerHostSettings):
        assert loaded.trainer_host.scheduler_address.each == ADDRESSES
    elif isinstance(loaded, SchedulerSettings):
        assert loaded.scheduler.advertised_address in ADDRESSES
