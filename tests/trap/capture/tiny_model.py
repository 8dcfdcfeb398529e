"""A real, tiny, full-int8 TFLite model, built when a test needs it: 17 labels from mean colour.

uint8 picture -> AVERAGE_POOL_2D over all of it -> FULLY_CONNECTED -> uint8 logits. Orange is a
leopard, green a deer, dark grey empty; blue is a person, and cyan too, whatever animal it is.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as tfl

LABELS = (
    "leopard", "tiger", "small_cat", "bear", "wild_boar", "deer", "fox", "raccoon_dog",
    "badger_marten", "hare", "dog", "livestock", "bird", "other_animal", "empty", "human",
    "vehicle",
)  # fmt: skip
_SCALE = 0.1
# Logits per unit of (red, green, blue) in 0..1, and at black.
_ROWS: dict[str, tuple[float, float, float, float]] = {
    "leopard": (15.5, 0.0, -15.5, -2.0),
    "deer": (-8.0, 16.0, -8.0, -4.0),
    "empty": (0.0, 0.0, 0.0, 1.0),
    "human": (-12.0, 0.0, 14.0, -4.0),
}
_NOTHING = (0.0, 0.0, 0.0, -6.0)

ORANGE, GREEN, GREY, BLUE = (255, 120, 0), (40, 220, 40), (50, 50, 50), (20, 20, 230)


@dataclass(frozen=True)
class Shape:
    """What a test may bend."""

    outputs: int = len(LABELS)
    side: int = 224
    input_type: int = tfl.TensorType.UINT8


def write_model(folder: Path, shape: Shape = Shape(), **changes: Any) -> Path:
    """A model and its sidecar in `folder`; `changes` replace top-level keys of the sidecar."""
    model = folder / "rosette.tflite"
    model.write_bytes(_tflite(shape))
    model.with_suffix(".json").write_text(json.dumps(sidecar(model) | changes))
    return model


def sidecar(model: Path) -> dict[str, Any]:
    """A right sidecar for the file as it is."""
    return {
        "name": "tiny",
        "version": "0.1.0",
        "file": model.name,
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "minimum_firmware": "0.1.0",
        "input": {"width": 224, "height": 224, "dtype": "uint8", "colour": "RGB",
                  "resize": "squash-bilinear"},
        "labels": [{"name": name, "taxon": name, "train_images": 1, "train_camera_trap": 1}
                   for name in LABELS],
        "independent": ["human", "vehicle"],
        "calibration": {
            "temperature": 1.0,
            "independent": {
                "human": {"temperature": 1.0, "bias": 0.0},
                "vehicle": {"temperature": 2.0, "bias": -1.0},
            },
        },
        "thresholds": {"leopard": 0.5, "tiger": 0.5, "human": 0.5, "vehicle": 0.5, "other": 0.5},
        "training": {"data": "none", "seed": 0, "command": "none"},
        "licence": "Apache-2.0",
        "attribution": "none",
    }  # fmt: skip


def _tflite(shape: Shape) -> bytes:
    rows = np.array([_ROWS.get(name, _NOTHING) for name in LABELS])
    rows = np.resize(rows, (shape.outputs, 4))
    weight_scale, input_scale = 16.0 / 127, 1 / 255
    weights = np.clip(np.round(rows[:, :3] / weight_scale) + 128, 0, 255).astype(np.uint8)
    bias = np.round(rows[:, 3] / (weight_scale * input_scale)).astype(np.int32)
    uint8, int32 = tfl.TensorType.UINT8, tfl.TensorType.INT32
    side = shape.side
    tensors = [
        _tensor("picture", (1, side, side, 3), shape.input_type, 0, input_scale, 0),
        _tensor("mean", (1, 1, 1, 3), shape.input_type, 0, input_scale, 0),
        _tensor("weights", (shape.outputs, 3), uint8, 1, weight_scale, 128),
        _tensor("bias", (shape.outputs,), int32, 2, weight_scale * input_scale, 0),
        _tensor("logits", (1, shape.outputs), uint8, 0, _SCALE, 128),
    ]
    pool = tfl.Pool2DOptionsT()
    pool.padding = tfl.Padding.VALID
    pool.strideW = pool.strideH = pool.filterWidth = pool.filterHeight = side
    options = tfl.BuiltinOptions
    operators = [
        _operator(0, [0], [1], options.Pool2DOptions, pool),
        _operator(1, [1, 2, 3], [4], options.FullyConnectedOptions, tfl.FullyConnectedOptionsT()),
    ]
    graph = tfl.SubGraphT()
    graph.name, graph.tensors, graph.operators = "main", tensors, operators
    graph.inputs, graph.outputs = [0], [4]
    model = tfl.ModelT()
    model.version, model.subgraphs = 3, [graph]
    model.operatorCodes = [_code(tfl.BuiltinOperator.AVERAGE_POOL_2D),
                           _code(tfl.BuiltinOperator.FULLY_CONNECTED)]  # fmt: skip
    model.buffers = [_buffer(b""), _buffer(weights.tobytes()), _buffer(bias.tobytes())]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(name: str, shape: tuple[int, ...], kind: int, buffer: int, scale: float, zero: int):  # type: ignore[no-untyped-def]
    tensor, quantised = tfl.TensorT(), tfl.QuantizationParametersT()
    quantised.scale, quantised.zeroPoint = [scale], [zero]
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, buffer
    if kind != tfl.TensorType.FLOAT32:
        tensor.quantization = quantised
    return tensor


def _operator(code: int, inputs: list[int], outputs: list[int], kind: int, options: Any) -> Any:
    operator = tfl.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator


def _code(operator: int) -> Any:
    code = tfl.OperatorCodeT()
    code.deprecatedBuiltinCode, code.builtinCode, code.version = operator, operator, 1
    return code


def _buffer(data: bytes) -> Any:
    buffer = tfl.BufferT()
    if data:
        buffer.data = np.frombuffer(data, np.uint8)
    return buffer
