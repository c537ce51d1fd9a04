"""What a prediction takes and leaves behind: names and shapes that the gateway and the recipe `infer` share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MODEL_ROLE = "model/"
"""Role of a model's file as an input of the job: this, and its path in the model's bundle."""
ROWS_ROLE = "rows"
"""Role of the rows to answer."""
PREDICTIONS_PATH = "predictions.csv"
"""A line a row, in their order: `prediction`, and for a classification `probability_{class}` of each class."""
REPORT_PATH = "drift.json"
"""A `PredictionReport`."""


class PredictionReport(BaseModel):
    """`drift.json`: what was answered, and how the rows differ from those of training."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: Literal["classification", "regression"]
    """What the model predicts."""
    classes: tuple[str, ...] = ()
    """In the order of the columns of predictions.csv."""
    num_rows: int = Field(ge=0)
    """Rows that were answered."""
    drift: dict[str, JsonValue] = Field(default_factory=dict)
    """A `headway.v1.Drift` as proto3 JSON."""
