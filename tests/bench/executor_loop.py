"""Runs the executor and the bare loop by turns on one table, in one process and one thread.

`python -m tests.bench.executor_loop TABLE.csv EPOCHS` prints the seconds of each pair as JSON. Both train the
same model on as many rows, in batches of as many; the executor also validates each epoch, reports progress, can be
stopped, and is ready to save at the default cadence.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import torch
from google.protobuf import json_format

from headway.runtime.clock import SystemClock
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.bench.bare_loop import model_of, train
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import CheckpointOrder, InputFile, Log, RunAttempt
from trainer_host.executor import Attempt, TrainingExecutor
from trainer_host.recipes.registry import load
from trainer_host.reports import MemoryReport

_ROUNDS = 7


def run_executor(executor: TrainingExecutor, table: Path, epochs: int) -> tuple[float, int]:
    """One attempt; returns the seconds of its training step and the rows that it trained on."""
    spec = JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=epochs))
    report = MemoryReport()
    with TemporaryDirectory() as folder:
        order = RunAttempt(
            job=f"projects/default/jobs/j{'a' * 25}",
            attempt=1,
            host="hosts/bench",
            kind="tabular_train",
            spec_json=json_format.MessageToJson(spec),
            mode="LOCAL",
            inputs=(
                InputFile(
                    role="table",
                    path=str(table),
                    digest="sha256:" + "0" * 64,
                    format="csv",
                    size_bytes=table.stat().st_size,
                ),
            ),
            work_dir=folder,
            checkpoints=CheckpointOrder(folder=folder),
        )
        executor.execute(Attempt(order, CancellationToken()), report)
    lines: dict[str, Log] = {line.message.partition(": ")[2] or line.message.strip(): line for line in report.lines}
    rows = next(int(line.fields["train"]) for line in report.lines if "train" in line.fields)
    return lines["Evaluating"].time - lines["Training"].time, rows


def run_bare(table: Path, epochs: int, rows: int) -> float:
    """The bare loop on the first `rows` rows; returns the seconds of its epochs."""
    frame = pl.read_csv(table).head(rows)
    labels = torch.tensor(frame["target"].to_numpy().astype("int64"))
    features = torch.tensor(frame.drop("target").to_numpy().astype("float32"))
    features = (features - features.mean(0)) / features.std(0).clamp_min(1e-8)
    model = model_of(features.shape[1], int(labels.max()) + 1)
    start = time.perf_counter()
    train(model, features, labels, epochs)
    return time.perf_counter() - start


def main(table: Path, epochs: int) -> None:
    """Alternate and print the pairs."""
    torch.set_num_threads(1)
    executor = TrainingExecutor(load()[0], {}, SystemClock())
    executor.warm_up()
    _, rows = run_executor(executor, table, 2)
    run_bare(table, 2, rows)
    pairs = [(run_executor(executor, table, epochs)[0], run_bare(table, epochs, rows)) for _ in range(_ROUNDS)]
    sys.stdout.write(json.dumps(pairs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
