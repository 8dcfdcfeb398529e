"""What training rounds is what the file rounds (needs the training extra)."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from models.backbone import rounded, rounded_weight, to_input
from models.ranges import (
    PIXELS,
    RELU6_RANGE,
    Rounding,
    activation_scales,
    load_scales,
    save_scales,
    scale_of,
)
from tests.models.tiny import tiny_network

PICTURES = list(np.random.default_rng(1).integers(0, 255, (3, 8, 8, 3), np.uint8))


def test_every_tensor_has_a_range_and_pixels_fit_theirs_exactly() -> None:
    network = tiny_network()
    scales = activation_scales(network, PICTURES)
    assert set(scales) == {0, 1, 2, 3, network.pooled, network.logits}
    assert scales[0] == PIXELS and scales[1] == scale_of(*RELU6_RANGE)
    pixels = to_input(PICTURES[0][None])
    assert torch.allclose(rounded(pixels, *PIXELS), pixels, atol=1e-6)


def test_training_rounds_activations_and_weights_as_the_file_does() -> None:
    network = tiny_network()
    scales = activation_scales(network, PICTURES)
    rounding = Rounding(scales)
    value = torch.linspace(-20, 20, 999)
    for number in (2, 3, network.pooled, network.logits):
        assert torch.allclose(
            rounding.activation(number, value), rounded(value, *scales[number]), atol=1e-5
        )
    within = torch.linspace(0, 6, 999)
    assert torch.allclose(rounding.activation(1, within), rounded(within, *scales[1]), atol=1e-5)
    weight = network.head.weight.detach() * 1.7
    assert torch.equal(rounding.weight(weight), rounded_weight(weight))


def test_gradients_pass_through_the_rounding_but_not_beyond_the_range() -> None:
    network = tiny_network()
    rounding = Rounding(activation_scales(network, PICTURES))
    step, zero = rounding.scales[3]
    inside, outside = (127 - zero) * step * 0.5, (127 - zero) * step * 2
    value = torch.tensor([inside, outside], requires_grad=True)
    (gradient,) = torch.autograd.grad(rounding.activation(3, value).sum(), value)
    assert gradient.tolist() == [1, 0]


def test_ranges_come_back_as_they_were_saved(tmp_path: Path) -> None:
    assert load_scales(tmp_path) is None
    scales = activation_scales(tiny_network(), PICTURES)
    save_scales(scales, tmp_path)
    assert load_scales(tmp_path) == scales
