from pathlib import Path

import psutil

from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST
from trainer_host.child_messages import Device, Hello, RecipeReport
from trainer_host.host_facts import HostIdentity, count_cpu_cores, describe_host, measure_memory_mib, new_boot_id

IDENTITY = HostIdentity(
    host_id="gpu-1",
    mode=EXECUTION_MODE_HOST,
    num_slots=2,
    labels={"room": "cellar"},
    boot_id="b",
    num_cpu_cores=4,
    memory_mib=1000,
)


def test_a_host_tells_what_its_child_found_out() -> None:
    hello = Hello(
        pid=1,
        torch_version="2.13.0",
        devices=(Device(id="cuda:0", display_name="H100", memory_mib=80_000),),
        recipes=(
            RecipeReport(kind="toy", available=True),
            RecipeReport(kind="broken", available=False, problem="ImportError"),
        ),
    )
    host = describe_host(IDENTITY, hello, address="127.0.0.1:1", draining=True)
    assert (host.name, host.boot_id, host.mode, host.num_slots) == ("hosts/gpu-1", "b", EXECUTION_MODE_HOST, 2)
    assert (host.torch_version, host.torch_problem) == ("2.13.0", "")
    assert (host.devices[0].display_name, host.devices[0].memory_mib) == ("H100", 80_000)
    assert [(one.kind, one.available, one.problem) for one in host.recipes] == [
        ("toy", True, ""),
        ("broken", False, "ImportError"),
    ]
    assert (host.num_cpu_cores, host.memory_mib, host.address, host.draining) == (4, 1000, "127.0.0.1:1", True)
    assert dict(host.labels) == {"room": "cellar"}


def test_a_container_with_less_memory_says_less(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{512 * 1024 * 1024}\n")
    assert measure_memory_mib((tmp_path / "none", tmp_path / "memory.max")) == 512


def test_a_container_without_a_limit_has_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert measure_memory_mib((tmp_path / "memory.max",)) == psutil.virtual_memory().total // (1024 * 1024)


def test_there_is_at_least_one_core_and_every_start_has_an_id_of_its_own() -> None:
    assert count_cpu_cores() >= 1
    assert new_boot_id() != new_boot_id()
