"""docs/kinds/tabular.md says what the code does, and its code runs as it stands there."""

import ast
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from gateway.validation import tabular_distill, tabular_train
from gateway.validation.chain import Step
from headway.contract.specs.tabular_train import AVAILABLE_MODES
from headway.v1.job_specs_pb2 import TabularDistillSpec, TabularTrainSpec
from tests.attempt_runs import finished, train_table
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train.predict import Predictor
from trainer_host.recipes.tabular_train.sources import open_source

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "kinds" / "tabular.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    """What stands in code at the beginning of each row of the first table below a line."""
    below = PAGE.partition(f"{heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", below, flags=re.MULTILINE)
    assert table is not None, heading
    cells = [line.split("|")[1] for line in table.group().splitlines()[2:]]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(
    ("heading", "steps"),
    [("Order of `tabular_train`:", tabular_train.STEPS), ("Order of `tabular_distill`:", tabular_distill.STEPS)],
)
def test_the_steps_are_those_of_the_chain_in_its_order(heading: str, steps: tuple[Step, ...]) -> None:
    assert first_cells(heading) == [step.name for step in steps]


def test_every_field_has_a_row() -> None:
    assert set(first_cells("## Fields of `tabular_train`")) == {one.name for one in TabularTrainSpec.DESCRIPTOR.fields}
    own = {one.name for one in TabularDistillSpec.DESCRIPTOR.fields} - {"training"}
    assert set(first_cells("## A student")) == own


def test_every_mode_has_a_row() -> None:
    assert set(first_cells("## Modes")) - {"mlp"} == set(AVAILABLE_MODES)


@pytest.mark.parametrize("fields", [{}, {"training_mode": "linear_glm_baseline"}, {"num_hidden_layers": 1}])
def test_a_bundle_opens_without_headway_in_ten_lines(
    fields: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    lines = [line for line in code.splitlines() if line and not line.startswith(("import ", "from "))]
    assert len(lines) == 10
    (tmp_path / "open.py").write_text(code, encoding="utf-8")
    table = write_table("iris", tmp_path)
    bundle = Path(finished(train_table(tmp_path / "attempt", table, **fields)).bundle_dir)
    predictor = Predictor.of_folder(bundle)
    truth = next(predictor.answers(predictor.read(open_source(table, "csv")).features))[0]

    for package in ("headway", "trainer_host", "gateway"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["open.py", str(bundle), json.dumps(first_row(table))])
    runpy.run_path(str(tmp_path / "open.py"))
    answers = ast.literal_eval(capsys.readouterr().out)
    assert answers == pytest.approx(dict(zip(predictor.classes, truth.tolist(), strict=True)), abs=1e-5)


def first_row(table: Path) -> dict[str, float]:
    header, row, *_ = table.read_text(encoding="utf-8").splitlines()
    pairs = zip(header.split(","), row.split(","), strict=True)
    return {name: float(cell) for name, cell in pairs if name != "target"}
