from __future__ import annotations

import io
import os
from pathlib import Path

import torch
from torch import nn

from convscope.core.quiet import without_log_messages, without_warnings
from convscope.core.types import Foreign
from convscope.errors import ModelError
from convscope.networks.model import Model
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.sources import register
from convscope.networks.sources._exported_code import code_in
from convscope.networks.sources._fixed_batch import FixedBatch, accepts_any_batch_size
from convscope.networks.sources._graph_modules import operations_as_modules
from convscope.networks.trust import require_trust

USUAL_CHANNELS = 3
USUAL_SIDE = 224
"""Of an image, where a file leaves them free."""

_VIEWS = (
    torch.ops.aten.view.default,
    torch.ops.aten.reshape.default,
    torch.ops.aten._unsafe_view.default,
)


@register()
def pt2(name: str, *, weights: bool | str | None = None, trust: bool = False) -> Model:
    """A network that `torch.export.save` wrote; its layers keep the names they had.

    An archive with pickled objects in it, or whose graph does more than arithmetic, could run code
    and is refused unless it is trusted.

    Args:
        weights: not used: the file has them.
        trust: open it even if it could run code.

    Example:
        convscope.load_model("pt2:net.pt2", mean=0.5, std=0.5)
    """
    if weights is not None:
        raise ModelError("A .pt2 file has its own weights; leave out weights=.")
    if not os.path.isfile(name):
        raise ModelError(f"There is no file {name!r}.")
    try:
        # Read once, so that what was checked is what is opened.
        archive = Path(name).read_bytes()
        reason = None if trust else code_in(archive)
    except Exception as error:
        raise _unreadable(name, error) from error
    require_trust(reason is None, name, str(reason))
    try:
        # What cannot be read is written to the log, traceback and all, before it is raised.
        with without_log_messages("torch"), without_warnings:
            program = torch.export.load(io.BytesIO(archive))
    except Exception as error:
        raise _unreadable(name, error) from error
    return from_program(program, name)


def _unreadable(name: str, error: Exception) -> ModelError:
    return ModelError(
        f"{name!r} cannot be read as a torch.export file ({type(error).__name__}); it is damaged or"
        " of another format."
    )


def from_program(
    program: Foreign, path: str, *, converted_for: tuple[int, int, int] | None = None
) -> Model:
    """A Model of an exported program.

    One that was `converted_for` an image of so many channels, rows and columns does not say them
    itself, and lost its modules, so that each of its operations becomes a layer.

    Raises:
        ModelError: its input is not one batch of images.
    """
    inputs = [
        node
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    shapes = [
        tuple(side if isinstance(side, int) else None for side in node.meta["val"].shape)
        for node in inputs
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ModelError(
            f"{path!r} takes {len(shapes)} input(s) of {shapes}, not one batch of images n c h w."
        )
    batch, channels, height, width = shapes[0]
    usual = converted_for or (USUAL_CHANNELS, USUAL_SIDE, USUAL_SIDE)
    shape = (1, channels or usual[0], height or usual[1], width or usual[2])
    if batch == 1:
        _loosen(program)
    network: Foreign = (
        program.module(check_guards=False) if converted_for else torch.export.unflatten(program)
    )
    if converted_for:
        modules = operations_as_modules(network)
    else:
        network.check_input_constraints = False
        modules = {layer: module for layer, module in network.named_modules() if layer}
    outer: nn.Module = network
    if batch is not None and not (batch == 1 and accepts_any_batch_size(network, shape)):
        outer = FixedBatch(network, batch, Path(path).stem)
    return Model(
        outer,
        name=Path(path).stem,
        channels=shape[1],
        preprocessing=Preprocessing((shape[2], shape[3])),
        modules=modules,
    )


def _loosen(program: Foreign) -> None:
    """Let the first axis of every view follow the input where it was fixed to one image."""
    for node in program.graph.nodes:
        if node.op == "call_function" and node.target in _VIEWS:
            tensor, sides = node.args[0], list(node.args[1])
            if sides and sides[0] == 1 and -1 not in sides:
                node.args = (tensor, [-1, *sides[1:]])
    program.graph_module.recompile()
