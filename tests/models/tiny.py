"""A network of the real one's kind, small enough to train in a test."""

import numpy as np
import torch

from models.backbone import ADD, CONV_2D, Layer, MobileNet, Step


def tiny_network(outputs: int = 17, seed: int = 0) -> MobileNet:
    """Input 0; a ReLU6 convolution, a linear one, their sum; the head."""
    random = np.random.default_rng(seed)

    def layer(out: int, inside: int, side: int, relu: bool) -> Layer:
        weight = random.normal(0, 0.5, (out, inside, side, side)).astype(np.float32)
        return Layer(weight, np.zeros(out, np.float32), 1, 1, relu)

    layers = [layer(4, 3, 3, True), layer(4, 4, 1, False)]
    steps = [
        Step(CONV_2D, [0], 1, 0),
        Step(CONV_2D, [1], 2, 1),
        Step(ADD, [1, 2], 3, None),
    ]
    torch.manual_seed(seed)
    return MobileNet(layers, steps, layer(outputs, 4, 1, False), 0)
