"""`headway distill`: a smaller model that learns from a larger one."""

from typing import Annotated

import typer
import yaml
from google.protobuf import json_format

from headway.cli.exit_codes import ExitCode
from headway.cli.jobfile.load import JobFile
from headway.cli.session import connect, finish, home_of, options_of
from headway.cli.student_file import Asked, make_student_file
from headway.cli.submit import (
    RequestIdOption,
    SetOption,
    TimeoutOption,
    UploadOption,
    WaitOption,
    Wanted,
    submit_with,
)
from headway.cli.view.output import Output, OutputOption, print_raw

app = typer.Typer()

_DATA, _STUDENT, _LEARNING = "Rows to learn from", "The student", "How it learns"


def _option(*names: str, help: str, panel: str, default: str = "", metavar: str | None = None) -> object:  # noqa: A002
    """An option of the command; `default` is the kind's own, which the command leaves to the gateway."""
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=default or False, metavar=metavar)


TeacherArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEACHER", help="MODEL, MODEL@VERSION, a job, or a bundle folder/ below the gateway's data root."
    ),
]
DataOption = Annotated[
    str, _option("--data", metavar="FILE", help="A table.", default="the teacher's own", panel=_DATA)
]
DatasetOption = Annotated[
    str, _option("--dataset", metavar="NAME[@VERSION]", help="The same, as a dataset of headway's.", panel=_DATA)
]
TargetOption = Annotated[
    str, _option("--target", metavar="COLUMN", help="What to predict.", default="as the teacher", panel=_DATA)
]
UnlabelledOption = Annotated[
    str, _option("--unlabelled", metavar="FILE", help="Further rows, without a target.", panel=_DATA)
]
UnlabelledDatasetOption = Annotated[
    str, _option("--unlabelled-dataset", metavar="NAME", help="The same, as a dataset of headway's.", panel=_DATA)
]
HiddenDimOption = Annotated[
    int | None, _option("--hidden-dim", help="Width, 8 to 500.", default="half the teacher's", panel=_STUDENT)
]
LayersOption = Annotated[
    int | None, _option("--layers", help="Hidden layers, 1 to 15.", default="one less", panel=_STUDENT)
]
DropoutOption = Annotated[
    float | None, _option("--dropout", help="0 to 0.9.", default="0.05 more, to 0.5", panel=_STUDENT)
]
ModelIdOption = Annotated[
    str, _option("--id", metavar="MODEL", help="Its model id.", default="TEACHER-student", panel=_STUDENT)
]
TemperatureOption = Annotated[
    float | None, _option("--temperature", help="Softening of the outputs, to 20.", default="2.5", panel=_LEARNING)
]
AlphaOption = Annotated[
    float | None, _option("--alpha", help="Weight of the true labels, 0 to 1.", default="0.5", panel=_LEARNING)
]
EpochsOption = Annotated[
    int | None, _option("--epochs", help="Passes over the rows, to 500.", default="60", panel=_LEARNING)
]
MixupOption = Annotated[
    float | None, _option("--mixup", help="Mixtures of rows beside each row, to 8.", default="0", panel=_LEARNING)
]
AlsoOption = Annotated[
    list[str] | None,
    _option("--also", metavar="TEACHER", help="A further teacher, a model. May be repeated.", panel=_LEARNING),
]
PrintOption = Annotated[bool, typer.Option("--print", help="Print the job file, for `headway submit`; queue nothing.")]


@app.command("distill")
def distill(
    ctx: typer.Context,
    teacher: TeacherArgument,
    data: DataOption = "",
    dataset: DatasetOption = "",
    target: TargetOption = "",
    unlabelled: UnlabelledOption = "",
    unlabelled_dataset: UnlabelledDatasetOption = "",
    hidden_dim: HiddenDimOption = None,
    num_layers: LayersOption = None,
    dropout: DropoutOption = None,
    model_id: ModelIdOption = "",
    temperature: TemperatureOption = None,
    alpha: AlphaOption = None,
    epochs: EpochsOption = None,
    mixup: MixupOption = None,
    also: AlsoOption = None,
    settings: SetOption = None,
    print_file: PrintOption = False,
    wait: WaitOption = False,
    timeout_seconds: TimeoutOption = None,
    request_id: RequestIdOption = None,
    upload: UploadOption = True,
    output: OutputOption = Output.TABLE,
) -> None:
    """Queue a job that teaches a smaller model what a larger one knows.

    Without options it learns from the table that its teacher was trained on, and is tested on rows that the teacher
    never saw. Whatever else a job file can say goes in with --set tabular_distill.training.batch_size=32.
    """
    numbers = (
        ("temperature", temperature),
        ("alpha", alpha),
        ("student_hidden_dim", hidden_dim),
        ("student_num_hidden_layers", num_layers),
        ("student_dropout", dropout),
        ("mixup_ratio", mixup),
    )
    asked = Asked(data, dataset, target, epochs, model_id, tuple(also or ()), unlabelled, unlabelled_dataset, numbers)
    wanted = Wanted(output, upload, wait, timeout_seconds, request_id)
    options = options_of(ctx)

    async def work() -> ExitCode:
        async with connect(options) as client:
            job_file = await make_student_file(client, teacher, asked, settings or [])
            if print_file:
                print_raw(as_yaml(job_file))
                return ExitCode.OK
            return await submit_with(client, job_file, wanted)

    finish(work(), home=home_of(options))


def as_yaml(job_file: JobFile) -> str:
    """A job file's text, with the names that files use."""
    fields = json_format.MessageToDict(job_file.spec, preserving_proto_field_name=True)
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True).rstrip()
