"""Trains teachers and distils them in this process, through the same executor as a child does."""

from pathlib import Path

from google.protobuf import json_format

from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.runtime.blobs.blob_file import digest_of_file
from headway.v1.job_specs_pb2 import JobSpec, TabularDistillSpec
from tests.attempt_runs import an_input, an_order, finished, run, train_table
from trainer_host.child_messages import InputFile
from trainer_host.executor import Outcome
from trainer_host.recipes.tabular_train.preprocess import PREPROCESS_PATH
from trainer_host.reports import MemoryReport

TEACHER_FILES = (MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH, PREPROCESS_PATH)


def a_teacher(folder: Path, table: Path, **fields: object) -> Path:
    """Train a model; `fields` are those of its spec. Returns the folder of its bundle."""
    return Path(finished(train_table(folder, table, **{"boosted_tree_baseline": False, **fields})).bundle_dir)


def teacher_inputs(*bundles: Path) -> tuple[InputFile, ...]:
    """Teachers as the gateway pins them: the named one first."""
    return tuple(
        InputFile(
            role=f"teacher.{place}/{name}",
            path=str(bundle / name),
            digest=digest_of_file(bundle / name),
            size_bytes=(bundle / name).stat().st_size,
            file_name=name,
        )
        for place, bundle in enumerate(bundles)
        for name in TEACHER_FILES
    )


def a_distillation(training: dict[str, object] | None = None, **fields: object) -> JobSpec:
    """A spec that names a teacher; `training` are fields of its training, `fields` its own."""
    whole = {
        "training": {"epochs": 3, "boosted_tree_baseline": False, **(training or {})},
        "teacher_model_id": "teacher",
        **fields,
    }
    return JobSpec(tabular_distill=json_format.ParseDict(whole, TabularDistillSpec()))


def distil(
    folder: Path,
    table: Path,
    *bundles: Path,
    spec: JobSpec | None = None,
    unlabelled: Path | None = None,
    report: MemoryReport | None = None,
) -> Outcome:
    """Distil teachers on a table."""
    inputs = [an_input(table), *teacher_inputs(*bundles)]
    if unlabelled is not None:
        inputs.append(an_input(unlabelled).model_copy(update={"role": "unlabelled"}))
    order = an_order(folder, spec or a_distillation(), inputs=tuple(inputs))
    return run(order, report=report)
