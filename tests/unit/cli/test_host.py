import re
from pathlib import Path

from headway.cli.host import Joining, default_host_id, host_environment, join_command, seen_from, with_port
from headway.contract.ids import HOST_PATTERN
from headway.v1.system_service_pb2 import EnrollHostResponse


def test_the_scheduler_is_where_the_gateway_says_unless_that_is_its_own_loopback() -> None:
    assert seen_from("10.0.0.5:7070", "10.0.0.6:7171") == "10.0.0.6:7171"
    assert seen_from("10.0.0.5:7070", "127.0.0.1:7171") == "10.0.0.5:7171"
    assert seen_from("127.0.0.1:7070", "127.0.0.1:7171") == "127.0.0.1:7171"
    assert seen_from("10.0.0.5:7070", "") == "10.0.0.5:7071"
    assert with_port("[::1]:7070", 1) == "[::1]:1"


def test_a_joined_host_keeps_its_own_folder_and_key() -> None:
    joining = Joining("gpu-1", "hw_key", "10.0.0.5:7070", "10.0.0.5:7071")
    environment = host_environment(joining, Path("/srv/joined/gpu-1"), 2, {"PATH": "/bin", "HEADWAY_ADDRESS": "x:1"})
    assert environment["HEADWAY_API_KEY"] == "hw_key"
    assert environment["HEADWAY_HOME"] == "/srv/joined/gpu-1"
    assert environment["HEADWAY_TRAINER_HOST__MODE"] == "host"
    assert environment["HEADWAY_TRAINER_HOST__NUM_SLOTS"] == "2"
    assert "HEADWAY_ADDRESS" not in environment


def test_the_machines_name_is_made_a_host_id() -> None:
    assert re.fullmatch(HOST_PATTERN, default_host_id())


def test_the_command_for_the_other_machine_names_everything() -> None:
    told = EnrollHostResponse(key="hw_k", gateway_address="a:1", scheduler_address="b:2")
    assert join_command("gpu-1", told) == "headway host join a:1 --scheduler b:2 --id gpu-1 --token hw_k"
