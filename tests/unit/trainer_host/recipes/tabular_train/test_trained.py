import json
import shutil
from pathlib import Path

import pytest
import torch

from headway.contract.errors import ArchitectureMismatch
from headway.contract.recipes import FatalFailure, RecipeInput, UserInputFailure
from tests.attempt_runs import finished, train_text
from trainer_host.recipes.tabular_train.loop import outputs_of
from trainer_host.recipes.tabular_train.trained import TrainedModel, read_trained

NAMES = ("manifest.json", "model.json", "preprocess.json", "model.safetensors")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = "a,b,target\n" + "".join(f"{n},{n * n % 11},{'x' if n % 3 else 'y'}\n" for n in range(40))
    outcome = train_text(tmp_path_factory.mktemp("model"), text, hidden_dim=8, boosted_tree_baseline=False)
    return Path(finished(outcome).bundle_dir)


def read(folder: Path, *, without: str = "") -> TrainedModel:
    files = {name: RecipeInput(path=folder / name, format="", file_name=name) for name in NAMES if name != without}
    return read_trained(files, "cpu")


def test_a_model_is_read_back_as_it_was_written(bundle: Path) -> None:
    trained = read(bundle)

    assert trained.job == "projects/p/jobs/j1"
    assert trained.architecture.hidden_dim == 8
    assert trained.preprocess.feature_names == ("a", "b")
    assert trained.weights_size_bytes == (bundle / "model.safetensors").stat().st_size
    outputs = outputs_of(trained.model, torch.zeros(3, 2))
    assert outputs.shape == (3, 2)
    assert torch.isfinite(outputs).all()
    assert not any(parameter.requires_grad for parameter in trained.model.parameters())


def test_reading_draws_no_random_number(bundle: Path) -> None:
    """Whatever is trained after it comes out as if nothing had been read."""
    before = torch.random.get_rng_state()
    read(bundle)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_there_is_no_fault_of_the_user(bundle: Path, name: str) -> None:
    with pytest.raises(FatalFailure, match=f"no {name} of the model"):
        read(bundle, without=name)


@pytest.mark.parametrize("name", ["manifest.json", "preprocess.json", "model.safetensors"])
def test_a_file_that_is_something_else_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    broken = shutil.copytree(bundle, tmp_path / "broken")
    (broken / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(UserInputFailure, match="cannot be read") as error:
        read(broken)
    assert error.value.reason == "MODEL_UNREADABLE"


@pytest.mark.parametrize(("field", "value"), [("hidden_dim", 9), ("num_hidden_layers", 1), ("mode", "tabresnet")])
def test_weights_of_another_shape_are_refused(bundle: Path, tmp_path: Path, field: str, value: object) -> None:
    broken = shutil.copytree(bundle, tmp_path / "broken")
    architecture = json.loads((broken / "model.json").read_bytes())
    (broken / "model.json").write_text(json.dumps(architecture | {field: value}))
    with pytest.raises(ArchitectureMismatch):
        read(broken)


def test_classes_in_another_order_are_another_model(bundle: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(bundle, tmp_path / "broken")
    architecture = json.loads((broken / "model.json").read_bytes())
    (broken / "model.json").write_text(json.dumps(architecture | {"classes": architecture["classes"][::-1]}))
    with pytest.raises(UserInputFailure, match="do not belong together"):
        read(broken)
