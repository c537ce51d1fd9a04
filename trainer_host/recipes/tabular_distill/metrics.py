"""`metrics.json` of a student: its own figures, its teacher's on the same rows, and what was saved."""

from pydantic import BaseModel, ConfigDict

from headway.contract.specs.tabular_distill import TabularDistill
from trainer_host.recipes.tabular_distill.compression import Compression
from trainer_host.recipes.tabular_distill.lessons import Lessons
from trainer_host.recipes.tabular_distill.teachers import Teachers
from trainer_host.recipes.tabular_train.evaluation import Metrics, TestFigures
from trainer_host.recipes.tabular_train.judging import test_figures
from trainer_host.recipes.tabular_train.objective import plain_loss


class TeacherFigures(BaseModel):
    """What a teacher is worth on the student's own test rows."""

    model_config = ConfigDict(frozen=True)

    jobs: tuple[str, ...]
    """`projects/{project}/jobs/{job}` that made it; several for the mean of an ensemble."""
    test_loss: float
    test_metric_value: float


class Distillation(BaseModel):
    """How the student was taught."""

    model_config = ConfigDict(frozen=True)

    temperature: float | None
    """None for a regression."""
    alpha: float
    num_mixtures: int
    num_unlabelled: int
    teacher: TeacherFigures
    """The named teacher."""
    ensemble: TeacherFigures | None = None
    """The mean of all teachers; None where there is one."""


class StudentMetrics(Metrics):
    """`metrics.json`."""

    distillation: Distillation
    compression: Compression


def distillation_of(spec: TabularDistill, teachers: Teachers, lessons: Lessons) -> Distillation:
    """What there is to say before the student is trained."""
    jobs = tuple(teacher.job for teacher in teachers)
    is_regression = lessons.data.labels.task == "regression"
    return Distillation(
        temperature=None if is_regression else spec.temperature,
        alpha=spec.alpha,
        num_mixtures=lessons.num_mixtures,
        num_unlabelled=lessons.num_unlabelled,
        teacher=_figures(jobs[:1], lessons, is_named=True),
        ensemble=_figures(jobs, lessons, is_named=False) if len(teachers) > 1 else None,
    )


def student_metrics(metrics: Metrics, distillation: Distillation, compression: Compression) -> StudentMetrics:
    """The student's figures with its teacher's beside them."""
    name = metrics.test_metric_name
    beside = {"teacher": distillation.teacher, "ensemble": distillation.ensemble}
    scalars: dict[str, float] = {}
    for who, figures in beside.items():
        if figures is not None:
            scalars[f"{who}_{name}"] = scalars[f"{who}_test_metric_value"] = figures.test_metric_value
            scalars[f"{who}_test_loss"] = figures.test_loss
    return StudentMetrics.model_validate(
        {
            **dict(metrics),
            "scalars": metrics.scalars | scalars | compression.scalars(),
            "distillation": distillation,
            "compression": compression,
        }
    )


def _figures(jobs: tuple[str, ...], lessons: Lessons, *, is_named: bool) -> TeacherFigures:
    outputs = lessons.named_outputs if is_named else lessons.teacher_outputs
    figures: TestFigures = test_figures(outputs.cpu().numpy(), lessons.preprocess, lessons.data)
    return TeacherFigures(
        jobs=jobs,
        test_loss=float(plain_loss(outputs, lessons.tensors.test.targets).item()),
        test_metric_value=figures.metric_value,
    )
