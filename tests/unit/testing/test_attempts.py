from pathlib import Path

import pytest

from headway.contract.recipes import FatalFailure, RecipeInput
from headway.testing.attempts import SilentContext


def test_inputs_are_found_by_role_and_by_the_beginning_of_it() -> None:
    table = RecipeInput(path=Path("table.csv"), format="csv", file_name="table.csv")
    model = RecipeInput(path=Path("model.json"), format="", file_name="model.json")
    context = SilentContext(inputs={"table": table, "teacher.0/model.json": model})

    assert context.input("table") is table
    assert context.inputs("teacher.0/") == {"model.json": model}
    assert context.inputs("teacher.1/") == {}
    with pytest.raises(FatalFailure, match="no input teacher"):
        context.input("teacher")
