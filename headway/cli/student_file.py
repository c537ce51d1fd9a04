"""The job file of a student, from its teacher and the options of `headway distill`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from headway.cli.jobfile.load import JobFile, make_job_file
from headway.cli.jobfile.tree import Fields, from_value
from headway.cli.teachers import Teacher, TeacherField, find_teacher, table_of
from headway.client import HeadwayClient

_SOURCE = "the command line"
_STUDENT_SUFFIX = "-student"
_MODEL_ID_MAX_CHARACTERS = 64
_NAME_MAX_CHARACTERS = 128
_VERSION_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of the command say; empty texts and None for those that were not given.

    Attributes:
        data: file of this machine, or below the gateway's data root.
        dataset: `NAME` or `NAME@VERSION`.
        target: column to predict.
        epochs: passes over the training rows.
        model_id: of the student.
        also: further teachers, as they were typed.
        unlabelled: file of further rows.
        unlabelled_dataset: the same as a dataset.
        numbers: numbers of TabularDistillSpec by field.
    """

    data: str = ""
    dataset: str = ""
    target: str = ""
    epochs: int | None = None
    model_id: str = ""
    also: tuple[str, ...] = ()
    unlabelled: str = ""
    unlabelled_dataset: str = ""
    numbers: tuple[tuple[str, float | int | None], ...] = ()


async def make_student_file(client: HeadwayClient, text: str, asked: Asked, settings: list[str]) -> JobFile:
    """The job file for a command line.

    Args:
        client: of the gateway, which is asked for the teachers.
        text: the teacher as it was typed.
        asked: the other options.
        settings: `path=value`; they win.

    Raises:
        BadParameter: no table to learn from, or a further teacher that is no registered model.
        InvalidJobFile: a setting does not fit.
        NotFound: the teacher is a job without a model.
        RemoteError: a teacher is not known, or the gateway stayed away.
    """
    named = named_table(asked)
    teacher = await find_teacher(client, text)
    further = [await _further_teacher(client, one) for one in asked.also]
    root = from_value(job_fields(teacher, further, named or await table_of(client, teacher), asked))
    if not isinstance(root, Fields):
        raise TypeError("a job file has named fields")
    return make_job_file(root, settings, source=_SOURCE, folder=Path.cwd())


def named_table(asked: Asked) -> dict[str, str | int]:
    """The fields of a training spec for --data or --dataset; empty when neither was given.

    Raises:
        BadParameter: both were, or a version is no number.
    """
    if asked.data and asked.dataset:
        raise typer.BadParameter("give --data or --dataset, not both", param_hint="--data")
    if asked.data:
        return {"data_path": asked.data}
    name, at, version = asked.dataset.partition("@")
    if not at:
        return {"dataset": name} if name else {}
    if not (version.isascii() and version.isdigit() and len(version) <= _VERSION_MAX_DIGITS):
        raise typer.BadParameter("what follows the @ is a version, a number from 1", param_hint="--dataset")
    return {"dataset": name, "dataset_version": int(version)}


def job_fields(
    teacher: Teacher, further: list[Teacher], table: dict[str, str | int], asked: Asked
) -> dict[str, object]:
    """The job file as plain values; whatever was not asked for is left to the defaults of the kind."""
    training = {
        **table,
        "target_column": asked.target or None,
        "epochs": asked.epochs,
        "model_id": asked.model_id or student_id(teacher) or None,
    }
    spec = {
        teacher.named_by.value: teacher.value,
        "training": _given(training),
        **dict(asked.numbers),
        "ensemble_teacher_model_ids": [one.value for one in further] or None,
        "unlabelled_data_path": asked.unlabelled or None,
        "unlabelled_dataset": asked.unlabelled_dataset or None,
    }
    name = f"student of {teacher.model_id or teacher.value}"
    return {"display_name": name[:_NAME_MAX_CHARACTERS], "tabular_distill": _given(spec)}


def student_id(teacher: Teacher) -> str:
    """The model id of a student whose teacher has a name; empty for one that only its job names.

    A student of a student keeps the name: it is a further version of the same small model.
    """
    name = teacher.model_id.removesuffix(_STUDENT_SUFFIX)
    found = f"{name}{_STUDENT_SUFFIX}"
    return found if name and len(found) <= _MODEL_ID_MAX_CHARACTERS else ""


async def _further_teacher(client: HeadwayClient, text: str) -> Teacher:
    found = await find_teacher(client, text)
    if found.named_by != TeacherField.MODEL_ID:
        raise typer.BadParameter(f"{text} is no registered model, and further teachers must be", param_hint="--also")
    return found


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
