"""The network: MobileNetV2 1.0 224 with batch norm folded, rebuilt from an int8 TFLite file.

Promises a float network whose weights are the file's int8 weights times their scales, and the
list of tensors each layer stands for, so that `quantise` can write it back into the same file.
It does not train and does not know our labels.

Run `python -m models.backbone --start FILE --frames DIR` to see how far the float network and
the original agree.
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from PIL import Image
from torch import nn
from torch.nn import functional

from models.measure import Array, Share, share
from models.runtime import Interpreter, Network, squash

SURE = 0.5
CONV_2D, DEPTHWISE, ADD = 3, 4, 0  # TFLite builtin operator codes
RELU6 = 3  # TFLite ActivationFunctionType

Watch = Callable[[int, torch.Tensor], torch.Tensor]
Weigh = Callable[[torch.Tensor], torch.Tensor]


class Layer(nn.Module):
    """One TFLite convolution: SAME padding as TFLite does it, bias, perhaps ReLU6."""

    def __init__(self, weight: Array, bias: Array, stride: int, groups: int, relu: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight))
        self.bias = nn.Parameter(torch.from_numpy(bias))
        self.stride, self.groups, self.relu = stride, groups, relu

    def forward(self, x: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        padding = self.weight.shape[-1] // 2
        if self.stride == 2:  # SAME on an even side pads right and bottom only
            x, padding = functional.pad(x, (0, 1, 0, 1)), 0
        chosen = self.weight if weight is None else weight
        x = functional.conv2d(x, chosen, self.bias, self.stride, padding, groups=self.groups)
        return functional.relu6(x) if self.relu else x


class Step:
    """One operator of the file: its kind and the numbers of the tensors it joins."""

    def __init__(self, kind: int, inputs: list[int], output: int, layer: int | None):
        self.kind, self.inputs, self.output, self.layer = kind, inputs, output, layer


class MobileNet(nn.Module):
    """The file's graph up to the pooled features, and a linear head of our own.

    `watch(tensor_number, value)` sees every activation and may replace it: calibration reads
    ranges through it, and training and the comparison with the original put rounding there.
    `weigh` may replace each weight before it is used.
    """

    def __init__(self, layers: list[Layer], steps: list[Step], head: Layer, entry: int):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.head = head
        self.steps, self.entry = steps, entry
        self.pooled, self.logits = -1, -2  # tensor numbers as `watch` sees them

    def forward(
        self, x: torch.Tensor, watch: Watch | None = None, weigh: Weigh | None = None
    ) -> torch.Tensor:
        """`x` is [n, 3, 224, 224] about -1..1; returns logits [n, labels]."""
        return self.classify(self.features(x, watch, weigh), watch, weigh)

    def classify(
        self, features: torch.Tensor, watch: Watch | None = None, weigh: Weigh | None = None
    ) -> torch.Tensor:
        """Pooled features to logits [n, labels]."""
        logits: torch.Tensor = self.head(features, weigh(self.head.weight) if weigh else None)
        return (watch(self.logits, logits) if watch else logits).flatten(1)

    def features(
        self, x: torch.Tensor, watch: Watch | None = None, weigh: Weigh | None = None
    ) -> torch.Tensor:
        """The pooled [n, 1280, 1, 1]."""
        see: Watch = watch if watch is not None else lambda _, value: value
        values = {self.entry: see(self.entry, x)}
        for step in self.steps:
            layer = self.layer_of(step)
            inputs = [values[i] for i in step.inputs]
            if layer is None:
                value = sum_of(*inputs)
            else:
                value = layer(*inputs, weigh(layer.weight) if weigh else None)
            values[step.output] = see(step.output, value)
        return see(self.pooled, values[self.steps[-1].output].mean((2, 3), keepdim=True))

    def layer_of(self, step: Step) -> Layer | None:
        """The convolution of a step; None for an addition."""
        return None if step.layer is None else cast(Layer, self.layers[step.layer])


def sum_of(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return first + second


def rounded_weight(weight: torch.Tensor) -> torch.Tensor:
    """The weight as int8 will hold it, per output channel."""
    scale = weight_scale(weight)[:, None, None, None]
    return torch.clamp(torch.round(weight / scale), -127, 127) * scale


def weight_scale(weight: torch.Tensor) -> torch.Tensor:
    """Symmetric scale of each output channel."""
    return weight.abs().amax((1, 2, 3)).clamp(min=1e-8) / 127


def read_model(path: Path) -> Any:
    """The file as the schema's object tree; raises ValueError if it is not a TFLite file."""
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a TFLite file; pass the starting model with --start")
    return schema.ModelT.InitFromPackedBuf(data, 0)


def dequantised(model: Any, tensor: Any) -> Array:
    """A constant tensor as float32, per-channel scales applied."""
    dtype = np.int8 if tensor.type == schema.TensorType.INT8 else np.int32
    raw = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype).reshape(tensor.shape)
    scale = np.asarray(tensor.quantization.scale, np.float32)
    shape = [1] * raw.ndim
    shape[tensor.quantization.quantizedDimension] = -1
    result: Array = raw.astype(np.float32) * scale.reshape(shape)
    return result


def operator_code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def build(path: Path) -> MobileNet:
    """The float network of the starting file, its 1,001-class head included."""
    model = read_model(path)
    graph = model.subgraphs[0]
    layers: list[Layer] = []
    steps: list[Step] = []
    for operator in graph.operators:
        kind, output = operator_code(model, operator), int(operator.outputs[0])
        if kind == ADD:
            steps.append(Step(kind, [int(i) for i in operator.inputs], output, None))
        elif kind in (CONV_2D, DEPTHWISE):
            steps.append(Step(kind, [int(operator.inputs[0])], output, len(layers)))
            layers.append(_layer(model, operator, kind))
    steps.pop()  # the last convolution is the classifier
    return MobileNet(layers[:-1], steps, layers[-1], steps[0].inputs[0])


def _layer(model: Any, operator: Any, kind: int) -> Layer:
    tensors = model.subgraphs[0].tensors
    weight, bias = (dequantised(model, tensors[i]) for i in operator.inputs[1:3])
    options = operator.builtinOptions
    # TFLite holds [out, h, w, in], depthwise [1, h, w, out]; torch wants [out, in, h, w].
    weight = np.ascontiguousarray(
        weight.transpose((3, 0, 1, 2) if kind == DEPTHWISE else (0, 3, 1, 2))
    )
    groups = weight.shape[0] if kind == DEPTHWISE else 1
    relu = options.fusedActivationFunction == RELU6
    return Layer(weight, bias, options.strideW, groups, relu)


def to_input(pixels: Array) -> torch.Tensor:
    """uint8 [n, 224, 224, 3] to [n, 3, 224, 224] about -1..1, as the file's input scale has it."""
    return (torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() - 127) / 127.5


def as_function(network: MobileNet) -> Network:
    """A network as a function of one picture."""
    torch.set_num_threads(1)  # more only wait for each other on single pictures

    def run(pixels: Array) -> Array:
        with torch.inference_mode():
            result: Array = network(to_input(pixels[None]))[0].numpy()
        return result

    return run


def file_rounding(path: Path, network: MobileNet) -> Watch:
    """Rounds each activation as the file does, so that only arithmetic details differ."""
    model = read_model(path)
    tensors = model.subgraphs[0].tensors
    named = {
        network.pooled: _output_of(model, schema.BuiltinOperator.MEAN),
        network.logits: _output_of(model, schema.BuiltinOperator.RESHAPE),
    }

    def watch(number: int, value: torch.Tensor) -> torch.Tensor:
        quantisation = tensors[named.get(number, number)].quantization
        return rounded(value, float(quantisation.scale[0]), int(quantisation.zeroPoint[0]))

    return watch


def rounded(value: torch.Tensor, scale: float, zero: int) -> torch.Tensor:
    """The value as int8 will hold it."""
    return torch.clamp(torch.round(value / scale) + zero, -128, 127).sub(zero) * scale


def _output_of(model: Any, kind: int) -> int:
    operators = model.subgraphs[0].operators
    return next(int(o.outputs[0]) for o in operators if operator_code(model, o) == kind)


@dataclass(frozen=True)
class Agreement:
    """How often two networks name the same of 1,001 classes as the original file."""

    plain: Share  # the rebuilt float network
    rounding: Share  # the same, rounding its activations as the file does
    sure: Share  # the float network, where the original gives its top class SURE or more


def agreement(start: Path, images: list[Path]) -> Agreement:
    network, original = build(start).eval(), Interpreter(start)
    rounding = file_rounding(start, network)
    torch.set_num_threads(1)  # more only wait for each other on single pictures
    rows, sure = [], []
    for path in images:
        with Image.open(path) as image:
            pixels = squash(image)
        expected = original(pixels)
        x = to_input(pixels[None])
        with torch.inference_mode():
            tops = [network(x)[0].argmax(), network(x, rounding)[0].argmax()]
        rows.append([int(top) == int(expected.argmax()) for top in tops])
        sure.append(float(expected.max()) >= SURE)
    same = np.array(rows)
    return Agreement(share(same[:, 0]), share(same[:, 1]), share(same[np.array(sure), 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="int8 ImageNet MobileNetV2")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    images = sorted((arguments.frames / "images").rglob("*.jpg"))
    found = agreement(arguments.start, random.Random(0).sample(images, arguments.count))
    print(f"same top class as the original, float:                {found.plain}")
    print(f"  where the original gives it {SURE} or more:            {found.sure}")
    print(f"  with the file's rounding of activations:            {found.rounding}")
    raise SystemExit(0 if found.sure.value >= 0.98 else 1)


if __name__ == "__main__":
    main()
