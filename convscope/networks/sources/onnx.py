from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from torch import nn

from convscope.core.quiet import without_warnings
from convscope.core.types import Foreign
from convscope.errors import ExtraError, ModelError
from convscope.networks.model import Head, Model
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.sources import register
from convscope.networks.sources._fixed_batch import FixedBatch, accepts_any_batch_size

try:
    import onnx as library
    from onnx import numpy_helper
    from onnx2pytorch import ConvertModel

    from convscope.networks.sources._onnx_operations import replace_operations
except ImportError:
    library = None

HEADS: dict[str, Head] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
"""Last operations that are taken off, so that scores are what goes into them."""

NO_LAYERS = ("Constant", "ConstantOfShape", "Shape", "Identity", "Cast", "Range")
"""Operations that compute nothing to look at."""

USUAL_SIDE = 224


@register()
def onnx(name: str, *, weights: bool | str | None = None) -> Model:
    """An ONNX file, as PyTorch operations (onnx2pytorch), so that gradients pass; layers are named
    as its nodes are.

    The input's size and channels are the file's; what it wants subtracted is not in it (mean=,
    std=, scale=). A softmax or sigmoid at the end is taken off, so that scores are logits.

    Args:
        weights: not used: the file has them.

    Example:
        convscope.load_model("onnx:net.onnx", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    """
    if library is None:
        raise ExtraError("onnx", "onnx")
    if weights is not None:
        raise ModelError("An ONNX file has its own weights; leave out weights=.")
    if not os.path.isfile(name):
        raise ModelError(f"There is no file {name!r}.")
    try:
        stored = library.load(name)
        library.checker.check_model(stored)
    except Exception as error:
        raise ModelError(
            f"{name!r} cannot be read as ONNX ({type(error).__name__}); it is damaged or of another"
            " format."
        ) from error
    shape, last = _input(stored.graph, name)
    _simplify(stored.graph)
    head = _split_head(stored.graph)
    count = shape[0]
    if count == 1:
        _loosen(stored.graph)
    network, modules = _convert(stored, name)
    single = (1, *(side or USUAL_SIDE for side in shape[1:]))
    outer: nn.Module = network
    if count is not None and not (count == 1 and accepts_any_batch_size(network, single)):
        outer = FixedBatch(network, count, Path(name).stem)
    channels, size = (single[3], single[1:3]) if last else (single[1], single[2:])
    return Model(
        outer,
        name=Path(name).stem,
        channels=channels,
        head=head,
        channels_last=last,
        modules=modules,
        preprocessing=Preprocessing((size[0], size[1])),
    )


def _input(graph: Foreign, name: str) -> tuple[list[int | None], bool]:
    """The shape of the one image input (None where it is free), and whether its channels come
    last."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    shapes = [
        [side.dim_value or None for side in value.type.tensor_type.shape.dim] for value in inputs
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ModelError(
            f"{name!r} takes {len(shapes)} input(s) of {shapes}, not one batch of images."
        )
    shape = shapes[0]
    last = shape[3] is not None and shape[3] <= 4 and (shape[1] is None or shape[1] > 4)
    if not last and shape[1] is None:
        shape[1] = 3
    return shape, last


def _simplify(graph: Foreign) -> None:
    """Constants and copies of weights become weights, as the converter wants them; what only
    training reads goes."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        value = None
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            value = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in weights:
            value = numpy_helper.to_array(weights[node.input[0]])
        if value is not None and node.output[0] not in {output.name for output in graph.output}:
            weights[node.output[0]] = numpy_helper.from_array(np.array(value), node.output[0])
            graph.initializer.append(weights[node.output[0]])
            continue
        for attribute in [
            attribute for attribute in node.attribute if attribute.name == "training_mode"
        ]:
            node.attribute.remove(attribute)
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _split_head(graph: Foreign) -> Head | None:
    """Take a softmax or sigmoid off the end; what the scores become then."""
    last = next((node for node in graph.node if graph.output[0].name in node.output), None)
    if (
        last is None
        or last.op_type not in HEADS
        or any(last.input[0] in node.input for node in graph.node if node is not last)
    ):
        return None
    graph.output[0].name = last.input[0]
    graph.node.remove(last)
    return HEADS[last.op_type]


def _loosen(graph: Foreign) -> None:
    """Let the first axis of every reshape follow the input where it was fixed to one image."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for place, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] not in weights or node.input[0] in weights:
            continue
        sides = numpy_helper.to_array(weights[node.input[1]]).copy()
        if len(sides) and sides[0] == 1:
            sides[0] = 0 if -1 in sides else -1
            if (
                len(sides) > 1
                and sides[0] == 0
                and any(
                    attribute.name == "allowzero" and attribute.i for attribute in node.attribute
                )
            ):
                continue
            copy_name = f"{node.input[1]}_of_{place}"
            graph.initializer.append(numpy_helper.from_array(sides, copy_name))
            node.input[1] = copy_name


def _convert(stored: Foreign, name: str) -> tuple[nn.Module, dict[str, nn.Module]]:
    try:
        with without_warnings:
            network = ConvertModel(stored).eval()
            replace_operations(network, network.mapping)
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{name!r} cannot be turned into PyTorch operations: {said}") from error
    modules: dict[str, nn.Module] = {}
    for node in stored.graph.node:
        module = getattr(network, network.mapping[node.output[0]])
        layer = (node.name or node.output[0]).replace(":", "_").replace("#", "_")
        if (
            isinstance(module, nn.Module)
            and node.op_type not in NO_LAYERS
            and module not in modules.values()
        ):
            modules[layer] = module
    return network, modules
