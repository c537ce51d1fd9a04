"""The table of DESIGN section 4, row by row, over the hosts as a pass sees them."""

import pytest

from headway.contract.errors import NoGpuHost
from headway.contract.kinds import INFER
from headway.contract.modes import Selection
from headway.testing.builders import a_host
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_AUTO,
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    EXECUTION_MODE_UNSPECIFIED,
    ExecutionMode,
)
from scheduler.mode_selection import select_for
from scheduler.snapshot import HostView
from tests.unit.scheduler.views import a_demand, a_view

UNSPECIFIED, AUTO = EXECUTION_MODE_UNSPECIFIED, EXECUTION_MODE_AUTO
LOCAL, HOST = EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST

LOCAL_CPU = a_view(a_host("local", mode=LOCAL))
LOCAL_GPU = a_view(a_host("local", mode=LOCAL, gpus=("T4",)))
REMOTE_CPU = a_view(a_host("remote", mode=HOST))
REMOTE_GPU = a_view(a_host("remote", mode=HOST, gpus=("T4",)))


def select(
    asked: "ExecutionMode.ValueType",
    hosts: tuple[HostView, ...],
    *,
    gpu: bool = False,
    default: "ExecutionMode.ValueType" = AUTO,
) -> Selection | NoGpuHost:
    return select_for(a_demand(asked, num_gpus=int(gpu)).wish, default, hosts)


@pytest.mark.parametrize(
    ("asked", "gpu", "hosts", "expected"),
    [
        (LOCAL, False, (), LOCAL),
        (LOCAL, False, (LOCAL_CPU, REMOTE_CPU), LOCAL),
        (LOCAL, True, (LOCAL_GPU, REMOTE_GPU), LOCAL),
        (LOCAL, True, (LOCAL_CPU, REMOTE_GPU), None),
        (HOST, False, (LOCAL_CPU, REMOTE_CPU), HOST),
        (HOST, True, (LOCAL_CPU, REMOTE_GPU), HOST),
        (HOST, True, (LOCAL_GPU, REMOTE_CPU), None),
        (HOST, True, (), None),
        (AUTO, True, (LOCAL_CPU, REMOTE_GPU), HOST),
        (AUTO, True, (LOCAL_GPU, REMOTE_CPU), LOCAL),
        (AUTO, True, (LOCAL_CPU, REMOTE_CPU), None),
        (AUTO, False, (LOCAL_CPU, REMOTE_GPU), LOCAL),
        (AUTO, False, (), LOCAL),
    ],
)
def test_a_row_of_the_table(
    asked: "ExecutionMode.ValueType",
    gpu: bool,
    hosts: tuple[HostView, ...],
    expected: "ExecutionMode.ValueType | None",
) -> None:
    selection = select(asked, hosts, gpu=gpu)

    if expected is None:
        assert isinstance(selection, NoGpuHost)
    else:
        assert selection == Selection(expected)


def test_host_without_a_remote_host_falls_back_to_local_and_says_why() -> None:
    selection = select(HOST, (LOCAL_CPU,))

    assert isinstance(selection, Selection)
    assert selection.mode == LOCAL
    assert "host was asked for" in selection.fallback_reason


def test_a_job_that_leaves_it_open_gets_the_default() -> None:
    assert select(UNSPECIFIED, (REMOTE_CPU,), default=HOST) == Selection(HOST)
    assert select(UNSPECIFIED, (REMOTE_CPU,), default=LOCAL) == Selection(LOCAL)
    assert select(UNSPECIFIED, (REMOTE_CPU,), default=AUTO) == Selection(LOCAL)


def test_a_job_overrides_the_default() -> None:
    assert select(LOCAL, (REMOTE_CPU,), default=HOST) == Selection(LOCAL)


def test_a_host_whose_stream_is_closed_for_the_moment_counts_as_up() -> None:
    absent = a_view(a_host("remote", mode=HOST), connected=False)

    assert select(HOST, (LOCAL_CPU, absent)) == Selection(HOST)


def test_a_host_without_the_recipe_is_no_reason_to_wait() -> None:
    useless = a_view(a_host("remote", mode=HOST, kinds=()))

    selection = select(HOST, (LOCAL_CPU, useless))

    assert isinstance(selection, Selection)
    assert selection.mode == LOCAL


def test_a_prediction_may_be_answered_anywhere() -> None:
    assert select_for(a_demand(kind=INFER).wish, LOCAL, []) == Selection(UNSPECIFIED)
