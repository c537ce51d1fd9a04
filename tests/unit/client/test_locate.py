import json
import os
from pathlib import Path

import pytest

from headway.client.locate import home_folder, is_loopback, locate, running_address
from headway.contract.errors import InvalidKey
from headway.runtime.keys import make_key, write_key_file

KEY = make_key().text


def write_run_file(home: Path, pid: int, address: str = "127.0.0.1:7999") -> None:
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "run" / "gateway.json").write_text(json.dumps({"pid": pid, "address": address}), encoding="utf-8")


def test_an_argument_wins_over_the_environment_and_the_home_folder(tmp_path: Path) -> None:
    write_run_file(tmp_path, os.getpid())
    environ = {"HEADWAY_ADDRESS": "b:2", "HEADWAY_API_KEY": "from-environment"}
    assert locate("a:1", "from-argument", tmp_path, environ).address == "a:1"
    assert locate("a:1", "from-argument", tmp_path, environ).key == "from-argument"
    assert locate(None, None, tmp_path, environ).address == "b:2"
    assert locate(None, None, tmp_path, environ).key == "from-environment"


def test_a_running_gateway_of_the_home_folder_is_found(tmp_path: Path) -> None:
    write_run_file(tmp_path, os.getpid())
    target = locate(None, None, tmp_path, {})
    assert (target.address, target.is_running) == ("127.0.0.1:7999", True)


def test_the_run_file_of_a_dead_process_counts_for_nothing(tmp_path: Path) -> None:
    write_run_file(tmp_path, 2**22 + 1)
    target = locate(None, None, tmp_path, {})
    assert (target.address, target.is_running) == ("127.0.0.1:7070", False)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "address": "a:1"}'])
def test_a_damaged_run_file_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "gateway.json").write_text(content, encoding="utf-8")
    assert running_address(tmp_path, "gateway") is None


def test_a_gateway_on_every_interface_is_reached_by_the_loopback(tmp_path: Path) -> None:
    write_run_file(tmp_path, os.getpid(), "0.0.0.0:7999")
    assert running_address(tmp_path, "gateway") == "127.0.0.1:7999"


def test_the_local_key_goes_to_this_machine_only(tmp_path: Path) -> None:
    write_key_file(tmp_path / "keys" / "local.key", KEY)
    assert locate("127.0.0.1:7070", None, tmp_path, {}).key == KEY
    assert locate("gateway.example.com:7070", None, tmp_path, {}).key is None


def test_a_key_file_named_by_the_environment_goes_anywhere(tmp_path: Path) -> None:
    write_key_file(tmp_path / "my.key", KEY)
    environ = {"HEADWAY_API_KEY_FILE": str(tmp_path / "my.key")}
    assert locate("gateway.example.com:7070", None, tmp_path, environ).key == KEY


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    write_key_file(tmp_path / "keys" / "local.key", KEY)
    (tmp_path / "keys" / "local.key").chmod(0o644)
    with pytest.raises(InvalidKey, match="chmod 600"):
        locate(None, None, tmp_path, {})


def test_the_home_folder_comes_from_the_environment() -> None:
    assert home_folder({"HEADWAY_HOME": "/srv/headway"}) == Path("/srv/headway")
    assert home_folder({}) == Path.home() / ".headway"


def test_loopback_names() -> None:
    assert is_loopback("127.0.0.1:1")
    assert is_loopback("localhost:1")
    assert is_loopback("[::1]:1")
    assert not is_loopback("10.0.0.1:1")


def test_the_gateway_of_a_live_supervisor_is_found_while_it_restarts(tmp_path: Path) -> None:
    written = {"pid": os.getpid(), "gateway_address": "127.0.0.1:7998"}
    (tmp_path / "run.json").write_text(json.dumps(written), encoding="utf-8")
    write_run_file(tmp_path, 2**22 + 1)
    assert locate(None, None, tmp_path, {}).address == "127.0.0.1:7998"
    (tmp_path / "run.json").write_text(json.dumps({**written, "pid": 2**22 + 1}), encoding="utf-8")
    assert locate(None, None, tmp_path, {}).address == "127.0.0.1:7070"
