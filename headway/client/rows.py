"""Rows on their way to a model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from google.protobuf.struct_pb2 import Struct

from headway.v1.models_service_pb2 import JsonRows, PredictRequest

Cell = str | float | bool | None
"""One value of a JSON row."""


@dataclass(frozen=True, slots=True)
class RowsToAnswer:
    """Rows for a model; made by one of the class methods.

    Attributes:
        request: with the rows, and without a name.
    """

    request: PredictRequest

    @classmethod
    def of_csv(cls, text: str) -> Self:
        """CSV text with a header, at most 3 MiB."""
        return cls(PredictRequest(csv=text))

    @classmethod
    def of_json(cls, rows: Iterable[Mapping[str, Cell]]) -> Self:
        """Objects from column name to value, at most 10,000; a column that a row lacks is absent in it."""
        json_rows = JsonRows()
        for row in rows:
            struct = Struct()
            struct.update(dict(row))
            json_rows.rows.append(struct)
        return cls(PredictRequest(json_rows=json_rows))

    @classmethod
    def of_dataset(cls, dataset: str, *, version: int = 0, sheet_name: str = "") -> Self:
        """A dataset by name or id, the newest version for 0."""
        return cls(PredictRequest(dataset=dataset, dataset_version=version, sheet_name=sheet_name))

    @classmethod
    def of_path(cls, data_path: str, *, sheet_name: str = "") -> Self:
        """A file below the gateway's data root."""
        return cls(PredictRequest(data_path=data_path, sheet_name=sheet_name))
