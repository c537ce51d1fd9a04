"""The recipe of kind `tabular_distill`: its steps, in order. Its loop and its figures are those of tabular_train."""

from dataclasses import replace

import torch

from headway.contract.architectures import Architecture
from headway.contract.recipes import AttemptContext, Phase, RecipeNeeds, RecipeResult
from headway.contract.specs.tabular_distill import TabularDistill
from headway.contract.specs.tabular_train import TabularTrain
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.recipes.tabular_distill.compression import Compression
from trainer_host.recipes.tabular_distill.lessons import Lessons, prepare_lessons
from trainer_host.recipes.tabular_distill.metrics import distillation_of, student_metrics
from trainer_host.recipes.tabular_distill.rows import read_labelled, read_unlabelled
from trainer_host.recipes.tabular_distill.spec import fields_of_the_teacher, resolve_spec, student_training
from trainer_host.recipes.tabular_distill.split import split_for_student
from trainer_host.recipes.tabular_distill.teachers import Teachers, read_teachers
from trainer_host.recipes.tabular_train.bundle import write_bundle, write_weights
from trainer_host.recipes.tabular_train.examination import Examination
from trainer_host.recipes.tabular_train.judging import judge, result_of
from trainer_host.recipes.tabular_train.loop import History, TrainingLoop
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import learning_from_teacher, plain_loss, soften
from trainer_host.recipes.tabular_train.spec import configure_loop, configure_model
from trainer_host.recipes.tabular_train.trained import TrainedModel


class TabularDistillRecipe:
    """Trains a smaller model to answer as a larger one does, and as the table does."""

    kind = "tabular_distill"
    requires = ("torch", "sklearn")

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """One thread, as for tabular_train."""
        training = resolve_spec(spec).training
        return RecipeNeeds(seed=training.random_seed, device=training.device, num_threads=1)

    def warm_up(self) -> None:
        """Only what tabular_train has not warmed up: the loss."""
        outputs = torch.zeros(4, 2, requires_grad=True)
        loss = learning_from_teacher(0.5, 2.0, has_unlabelled=True).training
        torch.autograd.backward(loss(outputs, torch.zeros(4, dtype=torch.int64), soften(torch.ones(4, 2), 2.0)))

    def train(self, context: AttemptContext) -> RecipeResult:
        """Train, and write the bundle."""
        spec = resolve_spec(context.spec)
        context.step("Reading the teacher", Phase.LOADING_DATA)
        teachers = read_teachers(context, spec)
        context.step("Loading data", Phase.LOADING_DATA)
        lessons = _learn_from(context, spec, teachers)
        context.step("Training", Phase.TRAINING)
        training = student_training(spec, teachers[0].architecture)
        architecture = configure_model(training, lessons.preprocess, "tabular_distill")
        model = TabularModel(architecture).to(context.device)
        history = _train(context, spec, training, model, lessons)
        context.step("Evaluating", Phase.EVALUATING)
        own = judge(model, lessons.preprocess, lessons.data, lessons.tensors, history)
        own = Examination(context, training, lessons.preprocess, lessons.data, lessons.tensors).extend(
            own, model, plain_loss
        )
        context.step("Writing the bundle", Phase.EXPORTING)
        compression = _compare(context, teachers[0], architecture, write_weights(context.bundle_dir, model))
        metrics = student_metrics(own, distillation_of(spec, teachers, lessons), compression)
        write_bundle(
            context.bundle_dir,
            architecture=architecture,
            preprocess=lessons.preprocess,
            metrics=metrics,
            history=history,
        )
        return result_of(metrics)


def make_recipe() -> TabularDistillRecipe:
    """The recipe, for the registry."""
    return TabularDistillRecipe()


def _learn_from(context: AttemptContext, spec: TabularDistill, teachers: Teachers) -> Lessons:
    if unused := fields_of_the_teacher(context.spec.tabular_distill.training):
        context.warn(
            f"{', '.join(unused)} of training count for nothing: a student has its columns from its teacher, and its "
            "shape from student_hidden_dim, student_num_hidden_layers and student_dropout."
        )
    if spec.alpha == 1:
        context.warn("With alpha 1 the student learns from the targets alone, and its teacher counts for nothing.")
        spec = replace(spec, mixup_ratio=0.0, has_unlabelled=False)
    rows = read_labelled(context, spec, teachers)
    unlabelled = read_unlabelled(context, spec, teachers)
    split = split_for_student(context, spec.training, teachers, rows.labels, rows.digest)
    context.step("Asking the teacher", Phase.LOADING_DATA)
    lessons = prepare_lessons(context, spec, teachers, rows=rows, unlabelled=unlabelled, split=split)
    if rows.labels.task == "regression" and context.spec.tabular_distill.HasField("temperature"):
        context.warn(
            "The teacher is a regression, whose outputs have no temperature: the one given counts for nothing."
        )
    context.detail(
        f"{len(lessons.train)} rows to learn from",
        train=split.train.size,
        mixtures=lessons.num_mixtures,
        unlabelled=lessons.num_unlabelled,
        validation=split.validation.size,
        test=split.test.size,
    )
    return lessons


def _train(
    context: AttemptContext, spec: TabularDistill, training: TabularTrain, model: TabularModel, lessons: Lessons
) -> History:
    objective = learning_from_teacher(spec.alpha, spec.temperature, has_unlabelled=lessons.num_transfer > 0)
    config = configure_loop(training, len(lessons.train))
    loop = TrainingLoop(model, config, context, training.random_seed, objective)
    return loop.run(lessons.train, lessons.tensors.validation)


def _compare(context: AttemptContext, teacher: TrainedModel, student: Architecture, size_bytes: int) -> Compression:
    compression = Compression.of(
        teacher.architecture, student, teacher_size_bytes=teacher.weights_size_bytes, student_size_bytes=size_bytes
    )
    if compression.param_saved_count <= 0:
        context.warn(
            f"The student has {compression.student_param_count} parameters and its teacher "
            f"{compression.teacher_param_count}: it saves nothing. Give a smaller student_hidden_dim or fewer "
            "student_num_hidden_layers."
        )
    return compression
