"""The recipe of kind `tabular_train`: its steps, in order."""

from headway.contract.recipes import AttemptContext, Phase, RecipeNeeds, RecipeResult
from headway.contract.specs.tabular_train import TabularTrain
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.recipes.tabular_train.bundle import write_bundle, write_weights
from trainer_host.recipes.tabular_train.examination import Examination
from trainer_host.recipes.tabular_train.judging import judge, result_of
from trainer_host.recipes.tabular_train.loop import History, Rows, TrainingLoop
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preparation import load, prepare
from trainer_host.recipes.tabular_train.spec import configure_loop, configure_model, resolve_spec
from trainer_host.recipes.tabular_train.teaching import Lesson, check_mode_fits, prepare_lesson
from trainer_host.recipes.tabular_train.warm_up import warm_up


class TabularTrainRecipe:
    """Trains a neural network on one table."""

    kind = "tabular_train"
    requires = ("torch", "sklearn")

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """One thread: a small model is fastest so, and most of all beside other processes."""
        resolved = resolve_spec(spec)
        return RecipeNeeds(seed=resolved.random_seed, device=resolved.device, num_threads=1)

    def warm_up(self) -> None:
        """Train a tiny model for a few steps."""
        warm_up()

    def train(self, context: AttemptContext) -> RecipeResult:
        """Train, and write the bundle."""
        spec = resolve_spec(context.spec)
        context.step("Loading data", Phase.LOADING_DATA)
        data = load(context, spec)
        check_mode_fits(spec.training_mode, data.labels)
        context.step("Preparing features", Phase.LOADING_DATA)
        preprocess, tensors = prepare(context, spec, data)
        context.step("Training", Phase.TRAINING)
        architecture = configure_model(spec, preprocess)
        model = TabularModel(architecture).to(context.device)
        lesson = prepare_lesson(context, spec, preprocess, data, tensors)
        history = _train(context, spec, model, lesson, tensors.validation)
        context.step("Evaluating", Phase.EVALUATING)
        loss = lesson.objective.judging
        metrics = judge(model, preprocess, data, tensors, history, loss=loss)
        metrics = metrics.model_copy(update={"scalars": {**metrics.scalars, **lesson.scalars}})
        metrics = Examination(context, spec, preprocess, data, tensors).extend(metrics, model, loss)
        context.detail(f"{metrics.test_metric_name} {metrics.test_metric_value:.6g}", test_loss=metrics.test_loss)
        context.step("Writing the bundle", Phase.EXPORTING)
        write_weights(context.bundle_dir, model)
        write_bundle(
            context.bundle_dir,
            architecture=architecture,
            preprocess=preprocess,
            metrics=metrics,
            history=history,
        )
        return result_of(metrics)


def make_recipe() -> TabularTrainRecipe:
    """The recipe, for the registry."""
    return TabularTrainRecipe()


def _train(
    context: AttemptContext, spec: TabularTrain, model: TabularModel, lesson: Lesson, validation: Rows
) -> History:
    config = configure_loop(spec, len(lesson.train))
    if config.batch_sizes[0] > spec.batch_size and len(lesson.train) > 1:
        context.detail("a batch of one row joins another: batch normalisation needs two")
    loop = TrainingLoop(model, config, context, spec.random_seed, lesson.objective)
    return loop.run(lesson.train, validation)
