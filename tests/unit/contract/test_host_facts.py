"""What decisions need to know of a host."""

from headway.contract.host_facts import facts_of
from headway.v1.hosts_pb2 import Device, Host, RecipeReport
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST


def test_facts_keep_importable_kinds_and_gpu_names() -> None:
    facts = facts_of(
        Host(
            name="hosts/a",
            mode=EXECUTION_MODE_HOST,
            num_slots=2,
            devices=[Device(id="cuda:0", display_name="H100"), Device(id="cuda:1")],
            recipes=[RecipeReport(kind="tabular_train", available=True), RecipeReport(kind="other", problem="no")],
            torch_version="2.13.0",
        )
    )
    assert facts.kinds == {"tabular_train"}
    assert facts.gpu_names == ("H100", "cuda:1")
    assert (facts.device, facts.has_torch, facts.num_slots) == ("H100", True, 2)


def test_a_host_without_a_gpu_trains_on_its_cpu() -> None:
    assert facts_of(Host(name="hosts/a")).device == "cpu"
