"""What every executor promises, alone or wrapped, in this process or in a child; and that all of them train alike."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from headway.contract.recipes import FatalFailure
from headway.runtime.clock import SystemClock
from headway.testing.toy_recipe import TOY_RECIPE, ToySpec
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.attempt_runs import an_executor, an_order, finished
from tests.real_tables import write_table
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import Finished, RunAttempt
from trainer_host.child_process import ChildProcess
from trainer_host.executor import Attempt, Executor, OutcomeExecutor, TrainingExecutor
from trainer_host.fork_server_client import ChildOptions, ForkServer
from trainer_host.recipes.registry import load
from trainer_host.reports import MemoryReport


def bare() -> Executor:
    return TrainingExecutor(*load((TOY_RECIPE,)), SystemClock())


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "bare": bare,
    "wrapped": an_executor,
    "wrapped twice": lambda: OutcomeExecutor(an_executor(), SystemClock()),
}


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    return EXECUTORS[str(request.param)]()


def execute(executor: Executor, order: RunAttempt) -> Finished:
    return finished(executor.execute(Attempt(order, CancellationToken()), MemoryReport()))


def test_it_is_ready_for_the_recipes_that_it_has(executor: Executor) -> None:
    executor.check_ready("toy")
    with pytest.raises(FatalFailure) as refusal:
        executor.check_ready("no_such_kind")
    assert refusal.value.reason == "KIND_UNAVAILABLE"


def test_it_runs_one_attempt_after_another(executor: Executor, tmp_path: Path) -> None:
    for place in range(2):
        outcome = execute(executor, an_order(tmp_path / str(place), ToySpec().job_spec()))
        assert Path(outcome.bundle_dir).is_dir()


def test_it_reports_while_it_runs(executor: Executor, tmp_path: Path) -> None:
    report = MemoryReport()
    executor.execute(Attempt(an_order(tmp_path, ToySpec().job_spec()), CancellationToken()), report)
    assert report.lines
    assert report.progresses


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer(ChildOptions(recipes=(TOY_RECIPE,)))
    yield running
    asyncio.run(running.close())


async def in_a_child(server: ForkServer, order: RunAttempt) -> Finished:
    child = ChildProcess(server)
    await child.start()
    await child.hello()
    await child.send(order)
    async with aclosing(child.messages()) as messages:
        *_, last = [message async for message in messages]
    await child.close()
    assert isinstance(last, Finished), last
    return last


async def test_the_same_spec_and_seed_give_the_same_weights_in_every_mode(server: ForkServer, tmp_path: Path) -> None:
    """Local and remote hosts run the same program; so does a test. Bit for bit, on one kind of machine."""
    table = write_table("breast_cancer", tmp_path)
    spec = JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=5, random_seed=11))
    weights = []
    for mode in ("LOCAL", "HOST"):
        order = an_order(tmp_path / mode, spec, table=table, mode=mode)
        weights.append(_weights(await in_a_child(server, order)))
    weights.append(_weights(execute(an_executor(), an_order(tmp_path / "here", spec, table=table))))

    assert weights[0] == weights[1] == weights[2]


async def test_two_children_of_one_server_do_not_share_their_luck(server: ForkServer, tmp_path: Path) -> None:
    """They inherit one random state; without a seed of its own, each attempt would draw the same numbers."""
    table = write_table("iris", tmp_path)
    weights = []
    for seed in (1, 2):
        spec = JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=1, random_seed=seed))
        order = an_order(tmp_path / str(seed), spec, table=table)
        weights.append(_weights(await in_a_child(server, order)))
    assert weights[0] != weights[1]


def _weights(outcome: Finished) -> bytes:
    return (Path(outcome.bundle_dir) / "model.safetensors").read_bytes()
