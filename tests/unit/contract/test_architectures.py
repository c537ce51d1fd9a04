import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from headway.contract.architectures import (
    Architecture,
    check_tensors,
    expected_tensors,
    num_parameters,
    parse_architecture,
)
from headway.contract.errors import ArchitectureMismatch

MLP = Architecture(
    kind="tabular_train",
    mode="mlp_dense",
    input_dim=4,
    output_dim=1,
    hidden_dim=8,
    num_hidden_layers=2,
    task="regression",
)
LINEAR = Architecture(kind="tabular_train", mode="linear_glm_baseline", input_dim=4, output_dim=1, task="regression")


def test_a_dense_model_has_two_blocks_and_an_output() -> None:
    assert expected_tensors(MLP) == {
        "layers.0.linear.weight": ("F32", (8, 4)),
        "layers.0.linear.bias": ("F32", (8,)),
        "layers.0.norm.weight": ("F32", (8,)),
        "layers.0.norm.bias": ("F32", (8,)),
        "layers.0.norm.running_mean": ("F32", (8,)),
        "layers.0.norm.running_var": ("F32", (8,)),
        "layers.0.norm.num_batches_tracked": ("I64", ()),
        "layers.1.linear.weight": ("F32", (8, 8)),
        "layers.1.linear.bias": ("F32", (8,)),
        "layers.1.norm.weight": ("F32", (8,)),
        "layers.1.norm.bias": ("F32", (8,)),
        "layers.1.norm.running_mean": ("F32", (8,)),
        "layers.1.norm.running_var": ("F32", (8,)),
        "layers.1.norm.num_batches_tracked": ("I64", ()),
        "output.weight": ("F32", (1, 8)),
        "output.bias": ("F32", (1,)),
    }


def test_a_linear_model_is_one_layer() -> None:
    assert expected_tensors(LINEAR) == {"output.weight": ("F32", (1, 4)), "output.bias": ("F32", (1,))}


def test_a_tabresnet_has_a_projection_blocks_a_norm_and_an_output() -> None:
    tensors = expected_tensors(MLP.model_copy(update={"mode": "tabresnet"}))
    names = [name for name in tensors if name.endswith("weight")]
    assert names == [
        "input.weight",
        "blocks.0.norm.weight",
        "blocks.0.first.weight",
        "blocks.0.second.weight",
        "blocks.1.norm.weight",
        "blocks.1.first.weight",
        "blocks.1.second.weight",
        "norm.weight",
        "output.weight",
    ]
    assert tensors["input.weight"] == ("F32", (8, 4))
    assert tensors["blocks.1.second.weight"] == ("F32", (8, 8))


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier", "tree_teacher_distillation"])
def test_modes_that_only_learn_otherwise_have_the_layers_of_the_dense_one(mode: str) -> None:
    assert expected_tensors(MLP.model_copy(update={"mode": mode})) == expected_tensors(MLP)


def test_running_statistics_are_no_parameters() -> None:
    assert num_parameters(LINEAR) == 5
    assert num_parameters(MLP) == (4 + 1) * 8 + 16 + (8 + 1) * 8 + 16 + 9
    assert num_parameters(MLP.model_copy(update={"mode": "tabresnet"})) == 5 * 8 + 2 * (16 + 2 * 72) + 16 + 9


def test_an_architecture_is_read_as_it_was_written() -> None:
    for architecture in (MLP, LINEAR, MLP.model_copy(update={"mode": "tabresnet", "kind": "tabular_distill"})):
        assert parse_architecture(architecture.model_dump_json().encode()) == architecture
        assert parse_architecture(architecture.model_dump_json(exclude_none=True).encode()) == architecture


GOOD = MLP.model_dump()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mode": "transformer"}, "mode"),
        ({"kind": "other"}, "kind"),
        ({"input_dim": 0}, "input_dim"),
        ({"input_dim": 10**9}, "input_dim"),
        ({"input_dim": "4"}, "input_dim"),
        ({"input_dim": True}, "input_dim"),
        ({"num_hidden_layers": 257}, "num_hidden_layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"format": 2}, "format"),
        ({"extra": 1}, "extra"),
        ({"task": "classification"}, "class labels"),
        ({"task": "classification", "output_dim": 2, "classes": ["a"]}, "class labels"),
        ({"task": "classification", "output_dim": 2, "classes": ["a", "a"]}, "twice"),
        ({"classes": ["a"]}, "class labels"),
    ],
)
def test_what_describes_no_model_is_refused_by_name(change: dict[str, object], says: str) -> None:
    with pytest.raises(ArchitectureMismatch, match=says) as caught:
        parse_architecture(json.dumps({**GOOD, **change}).encode())
    assert caught.value.violations[0].field.startswith("model_json")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'"' + b"x" * 5_000_000 + b'"']
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(ArchitectureMismatch):
        parse_architecture(content)


def test_the_right_tensors_pass() -> None:
    tensors = load(save({name: np.zeros(shape, "float32") for name, (_, shape) in expected_tensors(LINEAR).items()}))
    check_tensors(LINEAR, {name: ("F32", tensor.shape) for name, tensor in tensors.items()})


def test_each_difference_is_named_and_many_are_counted() -> None:
    right: dict[str, tuple[str, tuple[int, ...]]] = dict(expected_tensors(LINEAR))
    with pytest.raises(ArchitectureMismatch, match=r"output\.bias is missing"):
        check_tensors(LINEAR, {"output.weight": right["output.weight"]})
    with pytest.raises(ArchitectureMismatch, match="'evil' does not belong"):
        check_tensors(LINEAR, {**right, "evil": ("F32", ())})
    with pytest.raises(ArchitectureMismatch, match=r"output\.bias is F32 \[2\], not F32 \[1\]"):
        check_tensors(LINEAR, {**right, "output.bias": ("F32", (2,))})
    with pytest.raises(ArchitectureMismatch, match=r"output\.bias is F64"):
        check_tensors(LINEAR, {**right, "output.bias": ("F64", (1,))})
    with pytest.raises(ArchitectureMismatch, match="and 8 more") as caught:
        check_tensors(MLP, {})
    assert caught.value.metadata == {"num_faults": "16"}
