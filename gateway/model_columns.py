"""What a tabular model takes and predicts, by the names in its `preprocess.json`. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.model_files import invalid_bundle
from headway.contract.errors import echo


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Column(_Part):
    column: str


class _Feature(_Part):
    name: str


class _Target(_Part):
    column: str
    task: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()


class ModelColumns(_Part):
    """The part of `preprocess.json` that names columns of a table; the hosts know the rest of it.

    Attributes:
        target: what is predicted.
    """

    target: _Target
    dates: tuple[_Column, ...] = ()
    numeric: tuple[_Feature, ...] = ()
    categorical: tuple[_Column, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Every column that a table must have: of dates themselves, not of their parts."""
        parts_of = tuple(f"{date.column}__" for date in self.dates)
        numbers = [feature.name for feature in self.numeric if not feature.name.startswith(parts_of)]
        names = [*(date.column for date in self.dates), *numbers, *(one.column for one in self.categorical)]
        return tuple(dict.fromkeys(names))


def parse_model_columns(content: bytes) -> ModelColumns:
    """Read `preprocess.json`.

    Raises:
        InvalidManifest: it does not say which columns the model takes.
    """
    try:
        return ModelColumns.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise invalid_bundle(f"preprocess.json: {echo(where)}: {fault['msg']}") from None
