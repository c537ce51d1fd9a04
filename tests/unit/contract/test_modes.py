"""The execution-mode selector, row by row of its table."""

import pytest

from headway.contract.errors import NoGpuHost
from headway.contract.host_facts import HostFacts
from headway.contract.modes import Wish, mode_name, parse_mode, select_mode, wish_of
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_AUTO,
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    EXECUTION_MODE_UNSPECIFIED,
    ExecutionMode,
    JobSpec,
    ResourceSpec,
)

UNSPECIFIED, AUTO = EXECUTION_MODE_UNSPECIFIED, EXECUTION_MODE_AUTO
LOCAL, HOST = EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST


def a_host(
    mode: "ExecutionMode.ValueType", *gpus: str, kind: str = "tabular_train", draining: bool = False
) -> HostFacts:
    return HostFacts("hosts/x", mode, 1, 2, 1024, gpus, frozenset({kind}), True, draining)


def a_wish(asked: "ExecutionMode.ValueType", *, require_gpu: bool = False, gpu_type: str = "") -> Wish:
    return Wish(asked, require_gpu, gpu_type, "tabular_train")


CPU_LOCAL, CPU_HOST, GPU_LOCAL, GPU_HOST = a_host(LOCAL), a_host(HOST), a_host(LOCAL, "H100"), a_host(HOST, "H100")


@pytest.mark.parametrize(
    ("asked", "require_gpu", "hosts", "expected"),
    [
        (LOCAL, False, [], LOCAL),
        (LOCAL, False, [CPU_HOST], LOCAL),
        (LOCAL, True, [GPU_LOCAL], LOCAL),
        (HOST, False, [CPU_LOCAL, CPU_HOST], HOST),
        (HOST, True, [CPU_HOST, GPU_HOST], HOST),
        (AUTO, True, [CPU_LOCAL, GPU_HOST], HOST),
        (AUTO, True, [GPU_LOCAL, CPU_HOST], LOCAL),
        (AUTO, False, [CPU_HOST, GPU_HOST], LOCAL),
        (AUTO, False, [], LOCAL),
    ],
)
def test_a_row_of_the_table(
    asked: "ExecutionMode.ValueType",
    require_gpu: bool,
    hosts: list[HostFacts],
    expected: "ExecutionMode.ValueType",
) -> None:
    selection = select_mode(a_wish(asked, require_gpu=require_gpu), AUTO, hosts)
    assert (selection.mode, selection.fallback_reason) == (expected, "")


@pytest.mark.parametrize("hosts", [[], [CPU_LOCAL], [a_host(HOST, kind="other")], [a_host(HOST, draining=True)]])
def test_host_without_a_suitable_one_falls_back_to_local_and_says_why(hosts: list[HostFacts]) -> None:
    """F16."""
    selection = select_mode(a_wish(HOST), AUTO, hosts)
    assert selection.mode == LOCAL
    assert "no remote trainer host" in selection.fallback_reason


@pytest.mark.parametrize(
    ("asked", "hosts"),
    [(LOCAL, [CPU_LOCAL, GPU_HOST]), (HOST, [GPU_LOCAL, CPU_HOST]), (AUTO, [CPU_LOCAL, CPU_HOST]), (AUTO, [])],
)
def test_a_required_gpu_that_nobody_has_is_refused(asked: "ExecutionMode.ValueType", hosts: list[HostFacts]) -> None:
    """B13."""
    with pytest.raises(NoGpuHost, match="requires a GPU"):
        select_mode(a_wish(asked, require_gpu=True), AUTO, hosts)


def test_a_gpu_type_must_be_in_the_devices_name() -> None:
    wish = a_wish(AUTO, require_gpu=True, gpu_type="h100")
    assert select_mode(wish, AUTO, [a_host(HOST, "NVIDIA H100 80GB")]).mode == HOST
    with pytest.raises(NoGpuHost):
        select_mode(wish, AUTO, [a_host(HOST, "NVIDIA A10")])


def test_an_open_mode_takes_the_platforms_default() -> None:
    assert select_mode(a_wish(UNSPECIFIED), HOST, [CPU_HOST]).mode == HOST
    assert select_mode(a_wish(UNSPECIFIED), UNSPECIFIED, [CPU_HOST]).mode == LOCAL


def test_a_wish_is_read_from_a_spec() -> None:
    spec = JobSpec(execution_mode=HOST, resource_spec=ResourceSpec(require_gpu=True, gpu_type="A"))
    assert wish_of(spec, "k") == Wish(HOST, True, "A", "k")


def test_modes_have_short_names() -> None:
    assert [mode_name(mode) for mode in (UNSPECIFIED, AUTO, LOCAL, HOST)] == ["", "auto", "local", "host"]
    assert (parse_mode(" Host "), parse_mode("cloud")) == (HOST, None)
