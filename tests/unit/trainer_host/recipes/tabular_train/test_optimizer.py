import torch

from trainer_host.recipes.tabular_train.optimizer import Adam

SHAPES = ((4, 3), (4,), (1, 4))


def parameters() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def gradients(step: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(step + 1)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def test_its_steps_are_those_of_torch_bit_for_bit() -> None:
    ours, theirs = parameters(), parameters()
    adam = Adam(ours, learning_rate=0.01, weight_decay=0.1)
    reference = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1, fused=True)
    for step in range(20):
        adam.step(gradients(step))
        for parameter, gradient in zip(theirs, gradients(step), strict=True):
            parameter.grad = gradient
        reference.step()
    assert all(torch.equal(first, second) for first, second in zip(ours, theirs, strict=True))
    state = reference.state_dict()["state"]
    expected = {f"optimizer.{place}.{name}": tensor for place, one in state.items() for name, tensor in one.items()}
    found = adam.tensors()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_it_goes_on_from_a_state_as_if_it_had_never_stopped() -> None:
    whole, parts = parameters(), parameters()
    first = Adam(whole, learning_rate=0.01, weight_decay=0.1)
    before = Adam(parts, learning_rate=0.01, weight_decay=0.1)
    for step in range(5):
        first.step(gradients(step))
        before.step(gradients(step))
    after = Adam(parts, learning_rate=0.01, weight_decay=0.1)
    after.restore({name: tensor.clone() for name, tensor in before.tensors().items()})
    for step in range(5, 9):
        first.step(gradients(step))
        after.step(gradients(step))
    assert all(torch.equal(one, two) for one, two in zip(whole, parts, strict=True))
