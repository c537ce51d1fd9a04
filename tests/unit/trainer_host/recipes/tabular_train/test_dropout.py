import pytest
import torch

from trainer_host.recipes.tabular_train.dropout import Noise, dropout_of

LEVELS = 65_536
CPU = torch.device("cpu")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_the_share_dropped_is_the_one_asked_for(share: float) -> None:
    torch.manual_seed(1)
    num_draws = 2_000 * 1_000
    num_dropped = int((Noise(share)(2_000, 1_000) == 0).sum())
    deviation = (num_draws * share * (1 - share)) ** 0.5
    assert abs(num_dropped - num_draws * share) < 5 * deviation


@pytest.mark.parametrize("share", [0.0, 1e-6, 0.1, 1 / 3, 0.5, 0.9])
def test_the_share_is_rounded_by_less_than_a_65536th_and_what_is_kept_is_scaled_by_it(share: float) -> None:
    torch.manual_seed(1)
    noise = Noise(share)
    assert abs(noise.share - share) < 1 / LEVELS
    drawn = noise(64, 128)
    assert drawn.dtype == torch.float32
    assert set(drawn.flatten().tolist()) - {0.0} == {torch.tensor(1 / (1 - noise.share)).item()}


def test_the_values_of_16_bits_are_parted_exactly_at_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value once, four to a number as the generator fills them: exactly so many are dropped as the share says."""
    values = torch.arange(-LEVELS // 2, LEVELS // 2, dtype=torch.int16).view(torch.int64).reshape(256, 64)
    monkeypatch.setattr(torch.Tensor, "random_", lambda numbers, *_: numbers.copy_(values))
    for share in (0.0, 1 / LEVELS, 0.1, 0.5, 0.9):
        noise = Noise(share)(256, 256)
        assert int((noise == 0).sum()) == round(share * LEVELS)
        assert noise.double().mean().item() == pytest.approx(1.0, abs=1e-6), "so the mean activation stays"


def test_each_of_the_four_parts_of_a_number_drops_its_share() -> None:
    """Torch's `random_` without bounds leaves the sign of a number undrawn."""
    torch.manual_seed(3)
    for share in (1 / 8, 1 / 2, 7 / 8):
        dropped = (Noise(share)(4_000, 40) == 0).double().reshape(-1, 4).mean(0)
        assert torch.allclose(dropped, torch.full((4,), share, dtype=torch.float64), atol=0.015)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(4)
    dropped = (Noise(0.5)(2_000, 8) == 0).double()
    assert (torch.corrcoef(dropped.t()) - torch.eye(8)).abs().max() < 0.12


def test_the_largest_share_below_1_leaves_noise_that_is_finite() -> None:
    noise = Noise(1 - 2**-40)
    assert noise.share == 1 - 1 / LEVELS
    assert noise(64, 128).isfinite().all()


@pytest.mark.parametrize("share", [0.0, 1e-6])
def test_nothing_is_drawn_for_a_share_of_nothing(share: float) -> None:
    torch.manual_seed(0)
    before, hidden = torch.get_rng_state(), torch.ones(2, 3)
    assert not Noise(share).drops
    assert dropout_of(share, CPU)(hidden) is hidden
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_comes_from_the_global_generator_and_is_new_every_time() -> None:
    noise = Noise(0.5)
    torch.manual_seed(0)
    first, second = noise(8, 64), noise(8, 64)
    torch.manual_seed(1)
    other = noise(8, 64)
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("width", [1, 4, 5, 128, 499])
def test_the_same_state_of_the_generator_gives_the_same_noise(width: int) -> None:
    noise = Noise(0.3)
    noise(7, width)
    state = torch.get_rng_state()
    first, second = noise(7, width), noise(7, width)
    torch.set_rng_state(state)
    assert torch.equal(noise(7, width), first)
    assert torch.equal(noise(7, width), second)
    assert first.shape == (7, width)
    assert first.is_contiguous()


def test_gradients_pass_where_an_activation_was_kept() -> None:
    torch.manual_seed(5)
    hidden = torch.rand(9, 16, requires_grad=True)
    output = dropout_of(0.5, CPU)(hidden)
    (gradient,) = torch.autograd.grad(output.sum(), hidden)
    assert torch.equal(gradient * hidden, output)
    assert set(gradient.flatten().tolist()) == {0.0, 2.0}


def test_another_device_keeps_torchs_own() -> None:
    """Noise of the CPU cannot be multiplied with activations elsewhere; the device `meta` is there on every machine."""
    meta = torch.device("meta")
    assert dropout_of(0.5, meta)(torch.ones(2, 3, device=meta)).device == meta
