"""deploy/compose.yaml: valid by the Compose specification, and as strict as a small team's machine deserves."""

import re
from collections.abc import Callable

import pytest
import yaml
from compose_spec import PyCompose

from tests.contract.deployment import DEPLOY, ROOT, USERS, ComposeService, compose_text, read_compose

COMPOSE = read_compose()
SERVICES = sorted(COMPOSE.services)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def validate(text: str) -> None:
    PyCompose.from_yaml(text).validate()


def test_the_file_follows_the_specification() -> None:
    validate(compose_text())


def without_healthcheck_name(text: str) -> str:
    return text.replace("healthcheck:", "healthchek:", 1)


def with_unknown_condition(text: str) -> str:
    return text.replace("condition: service_healthy", "condition: service_fine", 1)


def with_unknown_network(text: str) -> str:
    return text.replace("- inside", "- outside", 1)


@pytest.mark.parametrize("spoil", [without_healthcheck_name, with_unknown_condition, with_unknown_network])
def test_a_slip_is_found(spoil: Callable[[str], str]) -> None:
    spoiled = spoil(compose_text())
    assert spoiled != compose_text()
    with pytest.raises(ValueError, match=r"services|network"):
        validate(spoiled)


def test_services_start_behind_what_they_need() -> None:
    order = [name for name, _ in COMPOSE.in_order()]
    assert order.index("nats") < order.index("gateway") < order.index("scheduler") < order.index("trainer-host")
    assert order.index("gateway") < order.index("notifier")
    conditions = {needed.condition for service in COMPOSE.services.values() for needed in service.depends_on.values()}
    assert conditions == {"service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_little_but_its_work(name: str) -> None:
    service = COMPOSE.services[name]
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]
    assert service.read_only
    assert service.restart == "unless-stopped"
    assert service.healthcheck.test[:2] == ["CMD", "headway-health"]
    assert service.networks == ["inside"]


def test_what_is_published_is_published_to_this_machine_alone() -> None:
    ports = {name: service.ports for name, service in COMPOSE.services.items() if service.ports}
    assert ports == {"nats": ["127.0.0.1:4222:4222"], "gateway": ["127.0.0.1:7070:7070"]}


def test_every_volume_is_declared_and_used_and_belongs_to_the_user_of_the_image() -> None:
    named = {mount.split(":")[0]: mount.split(":")[1] for mount in _mounts() if not mount.startswith((".", "/"))}
    assert set(named) == set(COMPOSE.volumes)
    # A new volume takes the owner of the folder that it is mounted on, so the image must have that folder.
    for folder in named.values():
        assert re.search(rf"install --directory --owner=headway .*\s{re.escape(folder)}\b", DOCKERFILE, re.DOTALL)


def test_the_data_of_people_is_only_read() -> None:
    assert [mount for mount in _mounts() if mount.startswith(".")] == ["./data:/data:ro"]
    assert COMPOSE.services["gateway"].environment["HEADWAY_DATA_ROOT"] == "/data"


def test_only_the_gateway_writes_keys() -> None:
    keys = {name: mount for name, service in COMPOSE.services.items() for mount in service.volumes if "keys" in mount}
    assert keys == {
        "gateway": "keys:/var/lib/headway/keys",
        "trainer-host": "keys:/var/lib/headway/keys:ro",
        "notifier": "keys:/var/lib/headway/keys:ro",
    }


def test_each_service_is_given_its_own_password_and_no_other() -> None:
    files = {name: service.env_file for name, service in COMPOSE.services.items() if service.env_file}
    assert files == {
        "nats": "./secrets/nats.env",
        **{name: f"./secrets/{name}.env" for name in USERS if name != "subscriber"},
    }
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert "password" not in str(yaml.safe_load(compose_text())).lower()
    assert "://gateway" not in text


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_is_built_from_a_target_of_the_dockerfile(name: str) -> None:
    service: ComposeService = COMPOSE.services[name]
    assert (DEPLOY / service.build.context).resolve() == ROOT
    assert (ROOT / service.build.dockerfile).is_file()
    assert re.search(rf"^FROM \S+ AS {service.build.target}$", DOCKERFILE, re.MULTILINE)
    wants_torch = name == "trainer-host"
    assert (service.build.target, service.image) == (
        ("host", "headway-host:0.1.0") if wants_torch else ("control-plane", "headway:0.1.0")
    )


def _mounts() -> list[str]:
    return [mount for service in COMPOSE.services.values() for mount in service.volumes]
