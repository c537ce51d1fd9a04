from pathlib import Path

import pytest
from google.protobuf import json_format

from headway.cli.jobfile.faults import InvalidJobFile
from headway.cli.jobfile.load import JobFile, load_job_file, read_text
from headway.contract.errors import Violation
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, TABULAR_TASK_CLASSIFICATION

GOOD = """
display_name: churn
project: lab
request_id: r-1
execution_mode: host
tags: [a, b]
tabular_train:
  dataset: churn
  target_column: 2024
  task: classification
  learning_rate: 1e-3
  exclude_columns: id, name
policies:
  max_runtime: 1h 30m
eval_policy:
  min_scores: {accuracy: 0.9}
"""
GOOD_TOML = """
display_name = "churn"
execution_mode = "host"

[tabular_train]
dataset = "churn"
target_column = "y"
epochs = 5

[policies]
max_runtime = "90s"
"""


def load(text: str, *settings: str, name: str = "job.yaml") -> JobFile:
    return load_job_file(Path("/somewhere") / name, text, settings)


def faults(text: str, *settings: str, name: str = "job.yaml") -> tuple[Violation, ...]:
    with pytest.raises(InvalidJobFile) as raised:
        load(text, *settings, name=name)
    return raised.value.violations


def test_a_yaml_file_has_the_shape_of_the_proto() -> None:
    job_file = load(GOOD)
    spec = job_file.spec
    assert (job_file.project, job_file.request_id, spec.display_name) == ("lab", "r-1", "churn")
    assert spec.execution_mode == EXECUTION_MODE_HOST
    assert spec.tabular_train.task == TABULAR_TASK_CLASSIFICATION
    assert spec.tabular_train.target_column == "2024"
    assert spec.tabular_train.learning_rate == 0.001
    assert list(spec.tabular_train.exclude_columns) == ["id, name"]
    assert spec.policies.max_runtime.seconds == 5400
    assert dict(spec.eval_policy.min_scores) == {"accuracy": 0.9}
    assert list(spec.tags) == ["a", "b"]
    assert job_file.folder == Path("/somewhere")


def test_a_toml_file_says_the_same() -> None:
    spec = load(GOOD_TOML, name="job.toml").spec
    assert (spec.display_name, spec.tabular_train.epochs, spec.policies.max_runtime.seconds) == ("churn", 5, 90)


def test_json_is_yaml_too() -> None:
    assert load('{"tabular_train": {"epochs": 5}}').spec.tabular_train.epochs == 5


def test_a_field_that_is_absent_is_not_set() -> None:
    spec = load("tabular_train: {target_column: y, epochs: }").spec
    assert not spec.tabular_train.HasField("epochs")
    assert not spec.HasField("policies")


def test_an_empty_kind_is_a_kind() -> None:
    assert load("tabular_train: {}").spec.WhichOneof("kind") == "tabular_train"


def test_long_enum_names_are_understood() -> None:
    assert load("{execution_mode: EXECUTION_MODE_HOST, tabular_train: {}}").spec.execution_mode == EXECUTION_MODE_HOST


def test_the_spec_of_a_custom_kind_is_free() -> None:
    spec = load("custom: {kind: mine, spec: {a: [1, yes, text, null], b: {c: 0.5}}}").spec
    free = json_format.MessageToDict(spec.custom.spec)
    assert free["a"][2] == "text"
    assert free["b"]["c"] == 0.5


def test_set_wins_over_the_file_and_makes_what_is_missing() -> None:
    spec = load(
        GOOD, "tabular_train.epochs=7", "policies.retry_max=0", "tags=[c]", "tabular_train.task=regression"
    ).spec
    assert (spec.tabular_train.epochs, spec.policies.retry_max, list(spec.tags)) == (7, 0, ["c"])
    assert spec.tabular_train.dataset == "churn"


def test_set_without_a_value_clears_a_field() -> None:
    assert load(GOOD, "tabular_train.learning_rate=").spec.tabular_train.HasField("learning_rate") is False


def test_every_fault_is_named_with_its_line_and_the_nearest_word() -> None:
    found = faults("execution_mode: hots\ntabular_train:\n  epochs: 5.5\n  hiden_dim: 8\n  task: 1\n")
    assert [(one.field, one.suggested) for one in found] == [
        ("job.yaml:1 execution_mode", "host"),
        ("job.yaml:3 tabular_train.epochs", "6"),
        ("job.yaml:4 tabular_train.hiden_dim", "hidden_dim"),
        ("job.yaml:5 tabular_train.task", ""),
    ]
    assert found[3].allowed == "auto, classification, regression"


def test_a_fault_of_a_toml_file_has_its_line_too() -> None:
    (found,) = faults('[tabular_train]\ntarget_column = "y"\nepochs = "many"\n', name="job.toml")
    assert found.field == "job.toml:3 tabular_train.epochs"


def test_a_fault_of_the_command_line_has_no_line() -> None:
    (found,) = faults(GOOD, "tabular_train.epochs=x")
    assert found.field == "tabular_train.epochs"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not say what to train"),
        ("display_name: x", "does not say what to train"),
        ("- a\n- b", "named fields"),
        ("just a text", "named fields"),
        ("a: [", "not YAML"),
        ("tabular_train: {epochs: 1, epochs: 2}", "given twice"),
        ("{tabular_train: {}, custom: {kind: a}}", "only one of"),
        ("tabular_train: 5", "named fields are wanted"),
        ("tabular_train: {target_column: [a]}", "one value is wanted"),
        ("{tabular_train: {}, policies: {max_runtime: soon}}", "no duration"),
        ("{tabular_train: {epochs: 99999999999}}", "does not fit"),
        ("{tabular_train: {epochs: true}}", "no number"),
        ("{tabular_train: {save_model: maybe}}", "neither true nor false"),
        ("{tabular_train: {learning_rate: fast}}", "no number"),
        ("{tabular_train: {}, eval_policy: {min_scores: 5}}", "named values are wanted"),
        ("{tabular_train: {}, data_refs: [5]}", "named fields are wanted"),
        ("{tabular_train: {}, project: [a]}", "one value is wanted"),
    ],
)
def test_what_is_no_job_file_is_refused_in_words(text: str, words: str) -> None:
    assert any(words in violation.message for violation in faults(text))


def test_bad_toml_names_its_line() -> None:
    (found,) = faults("a = 1\nb = = 2\n", name="job.toml")
    assert found.field.startswith("job.toml:2")
    assert "not TOML" in found.message


@pytest.mark.parametrize("setting", ["epochs", "=5", " = 5"])
def test_a_setting_without_path_or_value_is_refused(setting: str) -> None:
    with pytest.raises(InvalidJobFile, match="path=value"):
        load(GOOD, setting)


def test_a_setting_below_a_single_value_is_refused() -> None:
    with pytest.raises(InvalidJobFile, match="has no fields"):
        load(GOOD, "display_name.x=5")


def test_a_file_nested_beyond_reason_is_refused() -> None:
    assert "nested" in faults("custom: {spec: " + "{a: " * 40 + "1" + "}" * 41)[0].message


def test_aliases_cannot_make_a_small_file_huge() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    assert "more than" in faults(bomb)[0].message


def test_no_yaml_tag_runs_anything() -> None:
    assert faults("!!python/object/apply:os.system [echo]")


def test_a_data_file_in_place_of_a_job_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "big.yaml").write_bytes(b" " * (2**20 + 1))
    for name in ("a.bin", "big.yaml"):
        with pytest.raises(InvalidJobFile, match=r"[Ww]as a data file meant"):
            read_text(tmp_path / name)
