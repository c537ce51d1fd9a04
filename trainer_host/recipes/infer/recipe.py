"""The recipe of kind `infer`: reads a model and rows, and writes the answers and how the rows differ from training."""

from headway.contract.predictions import MODEL_ROLE, PREDICTIONS_PATH, REPORT_PATH, ROWS_ROLE
from headway.contract.recipes import AttemptContext, Phase, RecipeNeeds, RecipeResult
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.recipes.infer.answers import report_of, write_answers
from trainer_host.recipes.tabular_train.predict import Predictor
from trainer_host.recipes.tabular_train.sources import open_source
from trainer_host.recipes.tabular_train.trained import read_trained

_DEVICE = "cpu"
"""A table's model is small, and a GPU is busy with training; to begin with one takes longer than to answer."""


class InferRecipe:
    """Answers rows with a tabular model."""

    kind = "infer"
    requires = ("torch",)

    def needs(self, spec: JobSpec) -> RecipeNeeds:  # noqa: ARG002 - the same for every prediction
        """One thread, beside the training that goes on."""
        return RecipeNeeds(seed=0, device=_DEVICE, num_threads=1)

    def warm_up(self) -> None:
        """Nothing: the recipes of training have warmed up what is used here."""

    def train(self, context: AttemptContext) -> RecipeResult:
        """Answer the rows; nothing is trained."""
        context.step("Reading the model", Phase.LOADING_DATA)
        predictor = Predictor(read_trained(context.inputs(MODEL_ROLE), context.device), context.device)
        context.step("Reading the rows", Phase.LOADING_DATA)
        asked, rows_input = context.spec.infer, context.input(ROWS_ROLE)
        source = open_source(rows_input.path, rows_input.format, asked.sheet_name)
        rows = predictor.read(source, impute_missing_columns=asked.impute_missing_columns)
        context.step("Answering", Phase.EVALUATING)
        path = context.bundle_dir / PREDICTIONS_PATH
        with path.open("w", encoding="utf-8", newline="") as file:
            for num_done in write_answers(file, predictor.classes, predictor.answers(rows.features)):
                context.check_stop()
                context.progress(Phase.EVALUATING, f"{num_done} of {rows.drift.num_rows} rows answered")
        report = report_of(predictor.task, predictor.classes, rows.drift)
        (context.bundle_dir / REPORT_PATH).write_text(report.model_dump_json(), encoding="utf-8")
        num_rows = float(rows.drift.num_rows)
        return RecipeResult(predictor.task, {"num_rows": num_rows}, headline_metric="num_rows", headline_value=num_rows)


def make_recipe() -> InferRecipe:
    """The recipe, for the registry."""
    return InferRecipe()
