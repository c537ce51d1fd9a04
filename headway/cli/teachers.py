"""What people call a teacher, as a spec names it, with the table that it was trained on."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

import typer
from google.protobuf import json_format
from pydantic import ValidationError

from headway.client import HeadwayClient
from headway.contract.errors import InvalidManifest, NotFound, echo
from headway.contract.ids import JOB_PATTERN, ModelVersionName
from headway.contract.manifest import MANIFEST_PATH, Manifest
from headway.contract.states import state_name
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import Bundle

TABLE_ROLE = "table"


class TeacherField(StrEnum):
    """The fields of TabularDistillSpec that name a teacher."""

    RUN_ID = "teacher_run_id"
    MODEL_PATH = "teacher_model_path"
    MODEL_ID = "teacher_model_id"


@dataclass(frozen=True, slots=True)
class Teacher:
    """A teacher that was found.

    Attributes:
        named_by: the field of the spec that names it.
        value: what stands in that field.
        model_id: of the registered model; empty for one that is none, or has only the id of its job.
        bundle: its files; empty for a folder below the data root, which the gateway alone can read.
        owner: full name of the version or job that the bundle belongs to.
    """

    named_by: TeacherField
    value: str
    model_id: str = ""
    bundle: Bundle = field(default_factory=Bundle)
    owner: str = ""


def field_for(text: str) -> TeacherField:
    """What a teacher's name looks like: a job, a folder (it has a slash), or else a model."""
    if re.fullmatch(rf"(?:projects/[^/]+/jobs/)?{JOB_PATTERN}", text):
        return TeacherField.RUN_ID
    if "/" in text and not re.match(r"projects/[^/]+/models/", text):
        return TeacherField.MODEL_PATH
    return TeacherField.MODEL_ID


async def find_teacher(client: HeadwayClient, text: str) -> Teacher:
    """Look a teacher up, so that the spec names one version of it and not what is newest by then.

    A job whose model is registered is named by that, because a run can be a teacher for 15 minutes only.

    Raises:
        NotFound: a job that has made no model.
        RemoteError: unknown, or the gateway stayed away.
    """
    match field_for(text):
        case TeacherField.MODEL_PATH:
            return Teacher(TeacherField.MODEL_PATH, text.removeprefix("./"))
        case TeacherField.MODEL_ID:
            return await _registered(client, text)
    job = await client.jobs.get(text)
    if job.result.model_version:
        return await _registered(client, job.result.model_version)
    if not job.result.bundle.artifacts:
        raise NotFound(
            f"{job.name} has made no model: it is {state_name(job.state)}; a teacher is a job that succeeded"
        )
    return Teacher(TeacherField.RUN_ID, job.name.rpartition("/")[2], bundle=job.result.bundle, owner=job.name)


async def table_of(client: HeadwayClient, teacher: Teacher) -> dict[str, str | int]:
    """The fields of a training spec that name the table which a teacher was trained on, by its pinned version.

    Raises:
        BadParameter: nothing says so; ends the command with the options to give.
    """
    if teacher.named_by == TeacherField.MODEL_PATH:
        raise _no_data(f"{echo(teacher.value)} is a folder of the gateway's, which cannot be asked for its table")
    content = await client.bundles.read(teacher.bundle, MANIFEST_PATH, owner=teacher.owner)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise InvalidManifest(f"the manifest of {teacher.owner} cannot be read: {error.errors()[0]['msg']}") from None
    found = trained_on(manifest)
    if not found:
        raise _no_data(f"{teacher.owner} was trained on no dataset that is known here")
    return found


def trained_on(manifest: Manifest) -> dict[str, str | int]:
    """Dataset, version and sheet of the table in a manifest; empty when it names none."""
    table = next((one for one in manifest.inputs if one.role == TABLE_ROLE and one.dataset), None)
    if table is None:
        return {}
    spec = json_format.ParseDict(manifest.spec, JobSpec(), ignore_unknown_fields=True)
    sheet = training_of(spec).sheet_name
    found: dict[str, str | int] = {"dataset": table.dataset, "dataset_version": table.version}
    return found | ({"sheet_name": sheet} if sheet else {})


def training_of(spec: JobSpec) -> TabularTrainSpec:
    """The table and training fields of either tabular kind."""
    return spec.tabular_distill.training if spec.HasField("tabular_distill") else spec.tabular_train


async def _registered(client: HeadwayClient, text: str) -> Teacher:
    version = await client.models.version(text)
    name = ModelVersionName.parse(version.name)
    model = name.model_id if name.project == client.project else name.model.name
    is_named = not re.fullmatch(JOB_PATTERN, name.model_id)
    return Teacher(
        TeacherField.MODEL_ID,
        f"{model}@{name.version}",
        model_id=name.model_id if is_named else "",
        bundle=version.bundle,
        owner=version.name,
    )


def _no_data(why: str) -> typer.BadParameter:
    return typer.BadParameter(f"{why}; add --data FILE or --dataset NAME", param_hint="TEACHER")
