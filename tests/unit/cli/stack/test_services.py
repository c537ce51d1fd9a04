from pathlib import Path

from headway.cli.stack.home import Home
from headway.cli.stack.ports import Ports
from headway.cli.stack.services import ServicePlan, StackOptions, plan_services

PORTS = Ports(
    gateway=7070, scheduler=7071, trainer_host=7072, notifier=7073, nats=4222, nats_monitor=8222, fake_discord=7074
)
USERS_OWN = {"PATH": "/bin", "HEADWAY_ADDRESS": "far:1", "HEADWAY_API_KEY": "hw_mine", "HEADWAY_PROJECT": "lab"}


def plans(tmp_path: Path, fake_discord_token: str = "") -> dict[str, ServicePlan]:
    home = Home(tmp_path)
    home.make()
    options = StackOptions(home, PORTS, tmp_path / "tables", fake_discord_token=fake_discord_token)
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
    for name in ("trainer_host", "notifier"):
        assert found[name].environment["HEADWAY_API_KEY"].startswith("hw_")


def test_the_notifier_knows_the_gateway_and_of_itself_no_fake_discord(tmp_path: Path) -> None:
    environment = plans(tmp_path)["notifier"].environment
    assert environment["HEADWAY_NOTIFIER__GATEWAY_ADDRESS"] == "127.0.0.1:7070"
    assert not any("DISCORD" in name for name in environment)


def test_a_fake_discord_is_one_more_service_that_the_notifier_is_led_to(tmp_path: Path) -> None:
    found = plans(tmp_path, "fake.token")
    assert list(found)[-1] == "fake_discord"
    assert found["fake_discord"].address == "127.0.0.1:7074"
    environment = found["notifier"].environment
    prefix = "HEADWAY_NOTIFIER__DISCORD__"
    assert environment[f"{prefix}TOKEN"] == "fake.token"
    assert environment[f"{prefix}API_BASE"] == "http://127.0.0.1:7074/api/v10"
    assert environment[f"{prefix}GATEWAY_URL"] == "ws://127.0.0.1:7074/gateway/"
    assert environment[f"{prefix}IS_CONTROL_ENABLED"] == "true"
    assert environment[f"{prefix}OWNER_ID"] in found["fake_discord"].command


def test_no_argument_holds_the_token_and_no_other_service_hears_it(tmp_path: Path) -> None:
    """P30: every user of a machine can read the arguments of a process."""
    for name, plan in plans(tmp_path, "fake.token").items():
        assert "fake.token" not in " ".join(plan.command)
        if name not in {"notifier", "fake_discord"}:
            assert "fake.token" not in plan.environment.values()


def test_hosts_stop_before_the_gateway_and_nats_stops_last(tmp_path: Path) -> None:
    ranks = {name: plan.stop_rank for name, plan in plans(tmp_path).items()}
    assert ranks["trainer_host"] == ranks["notifier"] < ranks["gateway"] == ranks["scheduler"] < ranks["nats-server"]
