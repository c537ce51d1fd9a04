from pathlib import Path

from headway.cli.checks.machine import check_machine
from headway.cli.checks.verdict import Health
from headway.cli.stack.home import Home


def found(home: Home) -> dict[str, Health]:
    return {verdict.what: verdict.health for verdict in check_machine(home)}


def test_a_home_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    health = found(Home(tmp_path / "none"))
    assert (health["home"], health["local key"]) == (Health.NOTE, Health.NOTE)
    assert not (tmp_path / "none").exists()


def test_a_key_that_others_can_read_is_a_fault(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    assert found(home)["local key"] is Health.OK
    (tmp_path / "keys" / "local.key").chmod(0o644)
    assert found(home)["local key"] is Health.FAIL


def test_the_port_is_nobodys_business_while_headway_itself_holds_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.held():
        assert "port" not in found(home)
    assert "port" in found(home)
