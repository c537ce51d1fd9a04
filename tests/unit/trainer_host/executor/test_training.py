import json
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.manifest import Manifest
from headway.contract.recipes import AttemptContext, FatalFailure, RecipeNeeds, RecipeResult
from headway.runtime.clock import SystemClock
from headway.testing.toy_recipe import ToyRecipe, ToySpec
from tests.attempt_runs import an_executor, an_order, failed, finished, run, train_table
from tests.real_tables import write_table
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import Log, Progress, RecipeReport, Stopped, StopReason
from trainer_host.executor import TrainingExecutor
from trainer_host.reports import MemoryReport


def test_the_log_numbers_the_steps_and_keeps_details_below_them(tmp_path: Path) -> None:
    report = MemoryReport()
    run(an_order(tmp_path, ToySpec().job_spec()), report=report)

    info = [line.message for line in report.lines if line.level == "info"]
    assert info == [
        "Step 1: Loading nothing",
        "Step 2: Taking steps",
        "Step 3: Writing the result",
        "Step 4: Writing the manifest",
    ]
    assert all(line.message.startswith("  ") for line in report.lines if line.level == "debug")


def test_the_manifest_says_how_to_make_the_result_again(tmp_path: Path) -> None:
    table = write_table("iris", tmp_path)
    outcome = finished(train_table(tmp_path / "work", table, random_seed=7))

    manifest = Manifest.model_validate_json((Path(outcome.bundle_dir) / "manifest.json").read_bytes())
    assert (manifest.job, manifest.kind, manifest.attempt, manifest.host) == (
        "projects/p/jobs/j1",
        "tabular_train",
        1,
        "hosts/h1",
    )
    assert (manifest.seed, manifest.device, manifest.num_threads) == (7, "cpu", 1)
    assert manifest.spec["tabular_train"] == {"target_column": "target", "epochs": 3, "random_seed": "7"}
    assert manifest.inputs[0].digest == sha256_of(table.read_bytes())
    assert {"python", "torch", "numpy", "headway"} <= set(manifest.versions)


def test_every_file_is_an_artifact_with_its_digest_and_the_manifest_comes_last(tmp_path: Path) -> None:
    outcome = finished(run(an_order(tmp_path, ToySpec(num_bytes=1000).job_spec())))

    folder = Path(outcome.bundle_dir)
    assert {artifact.path for artifact in outcome.artifacts} == {path.name for path in folder.iterdir()}
    for artifact in outcome.artifacts:
        content = (folder / artifact.path).read_bytes()
        assert (sha256_of(content), len(content)) == (artifact.digest, artifact.size_bytes)
    assert outcome.artifacts[-1].path == "manifest.json"
    assert outcome.manifest_digest == outcome.artifacts[-1].digest


def test_what_an_earlier_try_left_does_not_get_into_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "stale.bin").write_bytes(b"stale")

    outcome = finished(run(an_order(tmp_path, ToySpec().job_spec())))

    assert "stale.bin" not in {artifact.path for artifact in outcome.artifacts}


def test_the_bundles_log_is_what_was_reported(tmp_path: Path) -> None:
    report = MemoryReport()
    outcome = finished(run(an_order(tmp_path, ToySpec().job_spec()), report=report))

    lines = [json.loads(line) for line in (Path(outcome.bundle_dir) / "logs.jsonl").read_text().splitlines()]
    assert [line["message"] for line in lines] == [line.message for line in report.lines]


def test_an_attempt_that_is_told_to_stop_leaves_no_result(tmp_path: Path) -> None:
    token = CancellationToken()
    token.cancel("CANCEL")

    outcome = run(an_order(tmp_path, ToySpec().job_spec()), token=token)

    assert outcome == Stopped(reason="CANCEL", step=0)
    assert not (tmp_path / "bundle" / "manifest.json").exists()


def test_a_stop_counts_up_to_the_very_end(tmp_path: Path) -> None:
    token = CancellationToken()

    class StopAtLastStep(MemoryReport):
        def log(self, line: object) -> None:
            if "Step 3" in str(line):
                token.cancel("CANCEL")

    outcome = run(an_order(tmp_path, ToySpec().job_spec()), token=token, report=StopAtLastStep())

    assert outcome == Stopped(reason="CANCEL", step=3)


class StopWhenTold(MemoryReport):
    """Asks for a stop as soon as a line with these words is logged."""

    def __init__(self, words: str, token: CancellationToken, reason: StopReason) -> None:
        super().__init__()
        self._words, self._token, self._reason = words, token, reason

    def log(self, line: Log) -> None:
        super().log(line)
        if self._words in line.message:
            self._token.cancel(self._reason)


def test_a_pause_stops_between_two_steps_and_says_so_in_the_log(tmp_path: Path) -> None:
    token = CancellationToken()
    report = StopWhenTold("Taking steps", token, "PAUSE")

    outcome = run(an_order(tmp_path, ToySpec().job_spec()), token=token, report=report)

    assert outcome == Stopped(reason="PAUSE", step=0)
    assert report.lines[-1].message == "stopped after 0 steps: PAUSE"
    assert report.lines[-1].level == "info"


def test_a_pause_after_the_last_step_lets_the_attempt_finish(tmp_path: Path) -> None:
    """Without a later step to go on from, all of it would be trained again."""
    token = CancellationToken()
    report = StopWhenTold("Writing the result", token, "PAUSE")

    finished(run(an_order(tmp_path, ToySpec().job_spec()), token=token, report=report))


def test_a_cancellation_overrules_a_pause_that_lets_the_attempt_finish(tmp_path: Path) -> None:
    token = CancellationToken()

    class ThenCancel(StopWhenTold):
        def progress(self, progress: Progress) -> None:
            if progress.phase == "EXPORTING":
                token.cancel("CANCEL")

    report = ThenCancel("Writing the result", token, "PAUSE")

    assert run(an_order(tmp_path, ToySpec().job_spec()), token=token, report=report) == Stopped(reason="CANCEL", step=3)


class BrokenAtWarmUp(ToyRecipe):
    def warm_up(self) -> None:
        raise OSError("no such library")


def test_a_recipe_that_does_not_warm_up_is_reported_and_not_run(tmp_path: Path) -> None:
    executor = TrainingExecutor({"toy": BrokenAtWarmUp()}, {"other": "does not import"}, SystemClock())

    executor.warm_up()

    assert executor.recipe_reports() == (
        RecipeReport(kind="other", available=False, problem="does not import"),
        RecipeReport(kind="toy", available=False, problem="its warm-up raised OSError: no such library"),
    )
    with pytest.raises(FatalFailure, match="no such library"):
        executor.check_ready("toy")


def test_an_executor_is_ready_for_the_recipes_that_load() -> None:
    an_executor().check_ready("toy")
    an_executor().check_ready("tabular_train")


def test_an_input_that_is_gone_is_worth_another_attempt(tmp_path: Path) -> None:
    table = write_table("iris", tmp_path)
    order = an_order(tmp_path / "work", ToySpec().job_spec(), table=table, kind="reader")
    table.unlink()

    class Reader(ToyRecipe):
        kind = "reader"

        def needs(self, spec: object) -> RecipeNeeds:
            return RecipeNeeds(seed=1)

        def train(self, context: AttemptContext) -> RecipeResult:
            context.input("table")
            return RecipeResult(task="reader")

    from trainer_host.executor import Attempt, OutcomeExecutor

    executor = OutcomeExecutor(TrainingExecutor({"reader": Reader()}, {}, SystemClock()), SystemClock())
    outcome = failed(executor.execute(Attempt(order, CancellationToken()), MemoryReport()))

    assert (outcome.failure_class, outcome.reason) == ("TRANSIENT", "INPUT_MISSING")
