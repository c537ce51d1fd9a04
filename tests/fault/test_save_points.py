"""F3, F2, P7, P8, P12: a kill at each named step of saving a model, after which there is exactly one right model.

The steps are those of table 4.2 in RELIABILITY.md, by their meaning; in time they come as they stand in `POINTS`, since
headway decompresses and checks each file while it arrives (s2, s3), syncs it (s1), names it (s5), and looks into all
files of a bundle together (s4).
"""

import ast
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from headway.runtime.remote_error import RemoteError
from tests.fault import figures
from tests.fault.saving import FAILPOINT, SavingCluster, saving_cluster
from tests.fault.small_model import small_spec

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("headway", "gateway", "scheduler", "trainer_host", "notifier")


@dataclass(frozen=True, kw_only=True)
class Point:
    """A place to die at.

    Attributes:
        name: of the failpoint.
        dies: the service.
        armed: before the job is `submitted`, or when it has `begun` to train.
        action: what the failpoint does.
        num_steps: of the job; more than one, and it keeps checkpoints.
        max_attempts: a restart of gateway or scheduler costs none; that of a host costs one, until the result is safe.
        is_quick: whether it is one of those that every test run has.
    """

    name: str
    dies: str
    armed: str = "begun"
    action: str = "kill"
    num_steps: int = 1
    max_attempts: int = 1
    is_quick: bool = False


def _pair(name: str, dies: str, *, armed: str = "begun", quick: str = "", max_attempts: int = 1) -> Iterator[Point]:
    for end in ("before", "after"):
        yield Point(name=f"{name}.{end}", dies=dies, armed=armed, is_quick=quick == end, max_attempts=max_attempts)


def _checkpoint(name: str, dies: str, *, armed: str, action: str = "kill", max_attempts: int = 2) -> Iterator[Point]:
    for end in ("before", "after"):
        yield Point(
            name=f"checkpoint.{name}.{end}",
            dies=dies,
            armed=armed,
            action=action,
            num_steps=3,
            max_attempts=max_attempts,
        )


POINTS = (
    *_pair("submit.create", "gateway", armed="submitted"),
    Point(name="lease.before_commit", dies="scheduler", armed="submitted"),
    Point(name="lease.after_commit", dies="scheduler", armed="submitted", is_quick=True),
    *_pair("outbox.adopt", "trainer_host", armed="submitted", max_attempts=2),
    *_pair("outbox.seal", "trainer_host", armed="submitted", max_attempts=2),
    *_pair("delivery.upload", "trainer_host", armed="submitted", max_attempts=2),
    *_pair("save.s0", "gateway"),
    *_pair("save.s2", "gateway"),
    *_pair("save.s3", "gateway"),
    *_pair("save.s1", "gateway"),
    *_pair("save.s5", "gateway"),
    Point(name="save.s5.renamed", dies="gateway", is_quick=True),
    *_pair("save.s4", "gateway"),
    *_pair("save.s6", "gateway", quick="after"),
    *_pair("register.create", "gateway"),
    *_pair("register.list", "gateway"),
    *_pair("register.tell", "gateway"),
    Point(name="save.s7.before", dies="gateway"),
    Point(name="save.s7.after", dies="trainer_host", armed="submitted", max_attempts=2),
    *_pair("save.s8", "scheduler"),
    *_pair("save.s9", "trainer_host", armed="submitted", max_attempts=2),
    Point(name="save.s9.renamed", dies="trainer_host", armed="submitted", max_attempts=2),
    # In the child, which dies alone, at its second checkpoint: that of each attempt.
    *_checkpoint("write", "child", armed="submitted", action="kill@2", max_attempts=3),
    *_checkpoint("rename", "child", armed="submitted", action="kill@2", max_attempts=3),
    *_checkpoint("upload", "trainer_host", armed="submitted"),
    *_checkpoint("commit", "gateway", armed="begun", max_attempts=1),
)


COMMITTED = ("save.s6.after", "register.", "save.s7.before")
"""Here the gateway dies with the result in the record, and the host does not know."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SavingCluster]:
    async with saving_cluster(tmp_path_factory.mktemp("save")) as cluster:
        yield cluster


@pytest.mark.timeout(240)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "point",
    [pytest.param(point, id=point.name, marks=() if point.is_quick else pytest.mark.slow) for point in POINTS],
)
async def test_a_kill_at_any_step_of_saving_ends_with_one_right_model(cluster: SavingCluster, point: Point) -> None:
    """F3, F2, F17, P5, P7, P8, P11, P12, P14, P17."""
    await cluster.mended()
    if point.name.startswith("register."):
        await cluster.until_registrar_idle()
    name = point.name.replace("_", "-").replace(".", "-")
    proc = cluster.procs["trainer_host" if point.dies == "child" else point.dies]
    armed = {FAILPOINT: f"{point.name}={point.action}"}
    if point.armed == "submitted":
        await proc.restart(armed)
        job = await _submitted(cluster, name, point)
    else:
        job = await cluster.begun(name, num_steps=point.num_steps)
        await proc.restart(armed)
    cluster.go(name)
    if point.dies != "child":
        await cluster.died(proc)
        await proc.restart()
    cluster.finish(name)
    job = job or await cluster.cluster.submit(small_spec(name, num_steps=point.num_steps), request_id=name)
    ended = await cluster.ended_well(name, job, num_steps=point.num_steps, max_attempts=point.max_attempts)
    if point.name.startswith(COMMITTED):
        assert cluster.was_answered_duplicate(ended), "the host's retry should have been answered DUPLICATE"
    if point.dies == "child":
        assert ended.attempt > 1, "the child should have died"
        await proc.restart()
    figures.record(row="F3", name="failpoints", survived=1, of=1, point=point.name)


@dataclass(frozen=True, kw_only=True)
class Hitch:
    """A place where a process fails once without dying of it; see `Point`."""

    name: str
    action: str
    fails: str
    num_steps: int = 1


HITCHES = (
    Hitch(name="save.s2.before", action="enospc@1", fails="gateway"),
    Hitch(name="save.s1.before", action="eio@1", fails="gateway"),
    Hitch(name="save.s5.before", action="enospc@1", fails="gateway"),
    Hitch(name="save.s5.renamed", action="eio@1", fails="gateway"),
    Hitch(name="save.s6.before", action="sleep(3)@1", fails="gateway"),
    Hitch(name="save.s8.before", action="sleep(3)@1", fails="scheduler"),
    Hitch(name="outbox.seal.before", action="enospc@1", fails="trainer_host"),
    Hitch(name="checkpoint.write.before", action="enospc@1", fails="trainer_host", num_steps=3),
)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("hitch", [pytest.param(hitch, id=f"{hitch.name}-{hitch.action}") for hitch in HITCHES])
async def test_a_step_that_fails_once_or_hangs_is_made_good(cluster: SavingCluster, hitch: Hitch) -> None:
    """F9, F24, F4, P8, P17, P28: nobody dies, the first attempt is the only one, and its model is right."""
    await cluster.mended()
    name = f"hitch-{hitch.name}".replace("_", "-").replace(".", "-")
    proc = cluster.procs[hitch.fails]
    armed = {FAILPOINT: f"{hitch.name}={hitch.action}"}
    num_characters = len(proc.log())
    if hitch.fails == "trainer_host":
        await proc.restart(armed)
    job = await cluster.begun(name, num_steps=hitch.num_steps)
    if hitch.fails != "trainer_host":
        await proc.restart(armed)
    pid = proc.pid
    cluster.go(name)
    cluster.finish(name)
    await cluster.ended_well(name, job, num_steps=hitch.num_steps)
    assert f"failpoint: {hitch.name}\n" in proc.log()[num_characters:], "the step should have failed"
    assert proc.is_alive
    assert proc.pid == pid, "the process should not have died of it"
    await proc.restart()


async def _submitted(cluster: SavingCluster, name: str, point: Point) -> str:
    """Submit; empty when the gateway dies of it."""
    spec = small_spec(name, num_steps=point.num_steps)
    try:
        return await cluster.cluster.submit(spec, request_id=name)
    except RemoteError:
        assert point.name.startswith("submit."), "the submission should have been taken"
        return ""


def test_every_failpoint_in_the_code_has_a_test() -> None:
    """Table 4.2. A new one belongs into `POINTS`, where it is tried as the others are, or into a test of its own."""
    found = {name for package in _PACKAGES for path in (_ROOT / package).rglob("*.py") for name in _names(path)}
    here = {point.name for point in POINTS}
    others = [path for path in (_ROOT / "tests" / "fault").glob("test_*.py") if path != Path(__file__)]
    elsewhere = "".join(path.read_text(encoding="utf-8") for path in others)
    assert sorted(here - found) == [], "these are gone from the code"
    assert [name for name in sorted(found - here) if f"{name}=" not in elsewhere] == [], "these have no test"
    table = {f"save.s{number}.{end}" for number in range(10) for end in ("before", "after")}
    assert table <= found


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or path.name == "failpoints.py":
            continue
        if node.func.id in {"failpoint", "failpoints_around"}:
            (argument,) = node.args
            assert isinstance(argument, ast.Constant), f"{path}: a failpoint's name should stand in the code"
            name = str(argument.value)
            ends = (".before", ".after") if node.func.id == "failpoints_around" else ("",)
            yield from (name + end for end in ends)
