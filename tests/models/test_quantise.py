"""Scales and rounding follow TFLite's int8 rules (needs the training extra)."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from models.backbone import Layer, rounded, rounded_weight
from models.ranges import scale_of


def test_a_scale_holds_both_ends_and_exactly_zero() -> None:
    for low, high in ((-3.0, 5.0), (0.0, 6.0), (2.0, 9.0), (-7.0, -1.0)):
        step, zero = scale_of(low, high)
        assert -128 <= zero <= 127
        ends = rounded(torch.tensor([low, 0.0, high]), step, zero)
        assert ends[1] == 0
        assert abs(float(ends[0]) - low) <= step
        assert abs(float(ends[2]) - high) <= step


def test_weights_round_per_output_channel() -> None:
    weight = torch.tensor([[1.0, -0.3], [100.0, 30.0]])[:, :, None, None]
    assert torch.allclose(rounded_weight(weight), weight, rtol=0.02)


def test_stride_two_pads_on_the_right_and_below_as_tflite_does() -> None:
    weight = np.zeros((1, 1, 3, 3), np.float32)
    weight[0, 0, 0, 0] = 1
    layer = Layer(weight, np.zeros(1, np.float32), stride=2, groups=1, relu=False)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert layer(x).flatten().tolist() == [0, 2, 8, 10]
