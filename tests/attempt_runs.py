"""Runs attempts in this process, through the same executor as a child does."""

from pathlib import Path

from google.protobuf import json_format

from headway.contract.digests import sha256_of
from headway.contract.kinds import kind_of
from headway.runtime.clock import SystemClock
from headway.testing.toy_recipe import TOY_RECIPE
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import Failed, Finished, InputFile, RunAttempt
from trainer_host.executor import Attempt, Outcome, OutcomeExecutor, TrainingExecutor
from trainer_host.recipes.registry import load
from trainer_host.reports import MemoryReport


def an_order(work_dir: Path, spec: JobSpec, *, table: Path | None = None, **changes: object) -> RunAttempt:
    """An order for attempt 1 of a job; `changes` replace its fields."""
    work_dir.mkdir(parents=True, exist_ok=True)
    order = RunAttempt(
        job="projects/p/jobs/j1",
        attempt=1,
        host="hosts/h1",
        kind=kind_of(spec),
        spec_json=json_format.MessageToJson(spec),
        mode="LOCAL",
        work_dir=str(work_dir),
        inputs=() if table is None else (an_input(table),),
    )
    return order.model_copy(update=changes)


def an_input(table: Path) -> InputFile:
    """The table of a tabular job."""
    content = table.read_bytes()
    return InputFile(
        role="table",
        path=str(table),
        digest=sha256_of(content),
        size_bytes=len(content),
        format=table.suffix.removeprefix("."),
        dataset="projects/p/datasets/d",
        version=1,
        file_name=table.name,
    )


def an_executor() -> OutcomeExecutor:
    """The executor of a child, with the toy beside the built-in recipes."""
    clock = SystemClock()
    return OutcomeExecutor(TrainingExecutor(*load((TOY_RECIPE,)), clock), clock)


def run(order: RunAttempt, *, report: MemoryReport | None = None, token: CancellationToken | None = None) -> Outcome:
    """Run an attempt to its end."""
    attempt = Attempt(order, token if token is not None else CancellationToken())
    return an_executor().execute(attempt, report if report is not None else MemoryReport())


def train_table(work_dir: Path, table: Path, **fields: object) -> Outcome:
    """Run a tabular job whose target is the column `target`; `fields` are those of its spec."""
    training = json_format.ParseDict({"target_column": "target", "epochs": 3, **fields}, TabularTrainSpec())
    spec = JobSpec(tabular_train=training)
    return run(an_order(work_dir, spec, table=table))


def train_text(work_dir: Path, text: str, **fields: object) -> Outcome:
    """As `train_table`, with the CSV as text."""
    work_dir.mkdir(parents=True, exist_ok=True)
    table = work_dir / "table.csv"
    table.write_text(text, encoding="utf-8", newline="")
    return train_table(work_dir / "attempt", table, **fields)


def finished(outcome: Outcome) -> Finished:
    """The outcome, which must be a success."""
    assert isinstance(outcome, Finished), outcome
    return outcome


def failed(outcome: Outcome) -> Failed:
    """The outcome, which must be a failure."""
    assert isinstance(outcome, Failed), outcome
    return outcome
