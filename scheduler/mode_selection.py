"""The execution mode of a job as things stand: the table of `headway.contract.modes` over the live hosts. Pure."""

from collections.abc import Iterable

from headway.contract.errors import NoGpuHost
from headway.contract.kinds import INFER
from headway.contract.modes import Selection, Wish, select_mode
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED, ExecutionMode
from scheduler.snapshot import HostView


def select_for(wish: Wish, default_mode: "ExecutionMode.ValueType", hosts: Iterable[HostView]) -> Selection | NoGpuHost:
    """Where a job of this wish runs now.

    A host whose stream is closed for the moment counts as up until its lease ends: a broken connection, or a restart
    of the scheduler, is no reason to fall back.

    Returns:
        The selection, whose mode is UNSPECIFIED for inference: any host that can may answer. Or the error, when a GPU
        is required and nobody has one, which lets a queued job wait.
    """
    if wish.kind == INFER:
        return Selection(EXECUTION_MODE_UNSPECIFIED)
    try:
        return select_mode(wish, default_mode, [host.facts for host in hosts])
    except NoGpuHost as error:
        return error
