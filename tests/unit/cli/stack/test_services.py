from pathlib import Path

from headway.cli.stack.home import Home
from headway.cli.stack.ports import Ports
from headway.cli.stack.services import ServicePlan, StackOptions, plan_services

PORTS = Ports(gateway=7070, scheduler=7071, trainer_host=7072, notifier=7073, nats=4222, nats_monitor=8222)
USERS_OWN = {"PATH": "/bin", "HEADWAY_ADDRESS": "far:1", "HEADWAY_API_KEY": "hw_mine", "HEADWAY_PROJECT": "lab"}


def plans(tmp_path: Path) -> dict[str, ServicePlan]:
    home = Home(tmp_path)
    home.make()
    options = StackOptions(home, PORTS, tmp_path / "tables")
    return {plan.name: plan for plan in plan_services(options, USERS_OWN)}


def test_the_services_of_one_machine(tmp_path: Path) -> None:
    assert list(plans(tmp_path)) == ["nats-server", "gateway", "scheduler", "trainer_host", "notifier"]


def test_each_service_is_told_its_own_addresses(tmp_path: Path) -> None:
    found = plans(tmp_path)
    assert found["gateway"].environment["HEADWAY_GATEWAY__LISTEN"] == "127.0.0.1:7070"
    assert found["gateway"].environment["HEADWAY_DATA_ROOT"] == str(tmp_path / "tables")
    assert found["trainer_host"].environment["HEADWAY_TRAINER_HOST__MODE"] == "local"
    assert found["scheduler"].environment["HEADWAY_NATS_URL"] == "nats://127.0.0.1:4222"


def test_what_the_user_set_for_the_command_line_does_not_reach_the_services(tmp_path: Path) -> None:
    found = plans(tmp_path)
    for plan in found.values():
        assert "HEADWAY_ADDRESS" not in plan.environment
        assert "HEADWAY_PROJECT" not in plan.environment
        assert plan.environment.get("HEADWAY_API_KEY") != "hw_mine"
    assert found["trainer_host"].environment["HEADWAY_API_KEY"].startswith("hw_")


def test_hosts_stop_before_the_gateway_and_nats_stops_last(tmp_path: Path) -> None:
    ranks = {name: plan.stop_rank for name, plan in plans(tmp_path).items()}
    assert ranks["trainer_host"] < ranks["gateway"] == ranks["scheduler"] < ranks["nats-server"]
