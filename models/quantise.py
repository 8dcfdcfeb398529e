"""Writes the trained float network as a full-int8 TFLite file: uint8 in, uint8 logits out.

Promises the operators, and the operator versions, of the starting file (so both TFLite runtimes
run it), per-channel int8 weights and int32 biases. Activation ranges are those that the network
was trained with; without such, they are measured on training images and the biases corrected. It
replaces the constants and the scales inside the starting file rather than converting a graph, so
no converter is needed.

    python -m models.quantise --start FILE --frames DIR [--work DIR] [--out FILE]
"""

import argparse
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch.nn import functional

from models.backbone import (
    CONV_2D,
    DEPTHWISE,
    Layer,
    MobileNet,
    operator_code,
    read_model,
    rounded,
    rounded_weight,
    sum_of,
    to_input,
    weight_scale,
)
from models.head import load_trained
from models.labels import LABELS
from models.manifest import read_frames
from models.measure import Array
from models.ranges import Scale, activation_scales, calibration_pixels, load_scales

CORRECTION_IMAGES = 40


def correct_biases(network: MobileNet, scales: dict[int, Scale], pixels: list[Array]) -> None:
    """Takes out of each bias the mean error that rounding puts into its channel.

    Layer by layer, errors of the layers before included (Nagel et al. 2019, section 4.2).
    """
    x = to_input(np.stack(pixels))
    entry = rounded(x, *scales[network.entry])
    exact, coarse = {network.entry: x}, {network.entry: entry}
    for step in network.steps:
        layer = network.layer_of(step)
        if layer is None:
            exact[step.output] = sum_of(*(exact[i] for i in step.inputs))
            value = sum_of(*(coarse[i] for i in step.inputs))
        else:
            source = step.inputs[0]
            exact[step.output], value = _corrected(layer, exact[source], coarse[source])
        coarse[step.output] = rounded(value, *scales[step.output])
    last = network.steps[-1].output
    pooled = rounded(coarse[last].mean((2, 3), keepdim=True), *scales[network.pooled])
    _corrected(network.head, exact[last].mean((2, 3), keepdim=True), pooled)


def _corrected(
    layer: Layer, exact: torch.Tensor, coarse: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The layer's exact and rounded outputs, its bias mended in between."""
    weight, relu = rounded_weight(layer.weight), layer.relu
    layer.relu = False
    wanted, found = layer(exact), layer(coarse, weight)
    error = (wanted - found).mean((0, 2, 3))
    layer.bias.data += error
    found = found + error[:, None, None]
    layer.relu = relu
    if relu:
        return functional.relu6(wanted), functional.relu6(found)
    return wanted, found


def write(start: Path, network: MobileNet, scales: dict[int, Scale]) -> bytes:
    """The starting file with our weights, scales and head in it."""
    model = read_model(start)
    graph = model.subgraphs[0]
    convolutions = [o for o in graph.operators if operator_code(model, o) in (CONV_2D, DEPTHWISE)]
    for number, scale in scales.items():
        if number >= 0 and number != network.entry:
            _set_scale(graph.tensors[number], scale)
    _put_head_scales(model, network, scales)
    for operator, layer in zip(convolutions, [*network.layers, network.head], strict=True):
        _put_layer(model, operator, layer)
    model.metadata, model.description = [], b"rosette-mnv2-224"
    builder = flatbuffers.Builder(4_000_000)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _put_layer(model: Any, operator: Any, layer: Layer) -> None:
    """Weights symmetric per output channel; biases in steps of input times weight scale."""
    tensors = model.subgraphs[0].tensors
    source, weight, bias = (tensors[i] for i in operator.inputs[:3])
    steps = weight_scale(layer.weight.detach()).numpy().astype(np.float64)
    whole = np.round(layer.weight.detach().numpy() / steps[:, None, None, None])
    depthwise = operator_code(model, operator) == DEPTHWISE
    values = np.clip(whole, -127, 127).astype(np.int8)
    _put(model, weight, values.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1)), steps)
    bias_steps = steps * float(source.quantization.scale[0])
    limit = 2**31 - 1
    biases = np.clip(np.round(layer.bias.detach().numpy() / bias_steps), -limit, limit)
    _put(model, bias, biases.astype(np.int32), bias_steps)


def _put(model: Any, tensor: Any, values: Array, steps: Array) -> None:
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.shape = np.array(values.shape, np.int32)
    tensor.quantization.scale = steps.astype(np.float32)
    tensor.quantization.zeroPoint = np.zeros(len(steps), np.int64)
    tensor.quantization.min = tensor.quantization.max = None


def _set_scale(tensor: Any, scale: Scale) -> None:
    quantisation = tensor.quantization
    quantisation.scale = np.array([scale[0]], np.float32)
    quantisation.zeroPoint = np.array([scale[1]], np.int64)
    quantisation.min = quantisation.max = None


def _put_head_scales(model: Any, network: MobileNet, scales: dict[int, Scale]) -> None:
    """MEAN, classifier, RESHAPE, QUANTIZE: our shapes and scales; SOFTMAX goes."""
    graph = model.subgraphs[0]
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    mean, classifier, reshape, softmax, output = graph.operators[-5:]
    found = [names[operator_code(model, o)] for o in (mean, classifier, reshape, softmax, output)]
    if found != ["MEAN", "CONV_2D", "RESHAPE", "SOFTMAX", "QUANTIZE"]:
        raise ValueError(f"the starting file ends in {found}; pass the published one")
    tensors, count = graph.tensors, len(LABELS)
    _set_scale(tensors[mean.outputs[0]], scales[network.pooled])
    for number in (classifier.outputs[0], reshape.outputs[0]):
        _set_scale(tensors[number], scales[network.logits])
    step, zero = scales[network.logits]
    _set_scale(tensors[output.outputs[0]], (step, zero + 128))
    tensors[classifier.outputs[0]].shape = np.array([1, 1, 1, count], np.int32)
    for number in (reshape.outputs[0], output.outputs[0]):
        tensors[number].shape = np.array([1, count], np.int32)
    shape = model.buffers[tensors[reshape.inputs[1]].buffer]
    shape.data = np.frombuffer(np.array([1, count], np.int32).tobytes(), np.uint8)
    output.inputs = np.array([reshape.outputs[0]], np.int32)
    graph.operators.remove(softmax)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="int8 ImageNet MobileNetV2")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/rosette-train"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("rosette.tflite"))
    arguments = parser.parse_args()
    network = load_trained(arguments.start, arguments.work / "float.pt")
    scales = load_scales(arguments.work)
    if scales is None:
        torch.set_num_threads(1)  # more only wait for each other on single pictures
        training = [e for e in read_frames(arguments.frames) if e.split == "train"]
        pixels = calibration_pixels(training)
        scales = activation_scales(network, pixels)
        with torch.inference_mode():
            correct_biases(network, scales, pixels[:: len(pixels) // CORRECTION_IMAGES])
    data = write(arguments.start, network, scales)
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
