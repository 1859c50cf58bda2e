from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from convscope.core.quiet import without_log_messages, without_warnings
from convscope.core.ranges import ChannelCount, Side
from convscope.errors import ModelError
from convscope.networks import options as user_options
from convscope.networks.model import Model
from convscope.networks.sources import register
from convscope.networks.sources.pt2 import from_program
from convscope.networks.trust import require_trust


@register()
def torchscript(
    name: str,
    *,
    weights: bool | str | None = None,
    channels: ChannelCount = 3,
    side: Side | Sequence[Side] = 224,
    trust: bool = False,
) -> Model:
    """A TorchScript file (`torch.jit.save`). Scripted modules take no hooks, so it is turned into
    an exported program first.

    Layers keep their names where the file has them. What the converter does not know, it names in
    one sentence. TorchScript is a program, which can also read and write files, so it is opened
    only if it is trusted.

    Args:
        weights: not used: the file has them.
        channels: how many channels the input has.
        side: height and width to convert it for (one number or two), which become the size of the
            Model's input; `size` of `load_model` says both at once.
        trust: run the program in the file.

    Example:
        convscope.load_model("torchscript:net.pt", size=64, trust=True)
    """
    if weights is not None:
        raise ModelError("A TorchScript file has its own weights; leave out weights=.")
    if not os.path.isfile(name):
        raise ModelError(f"There is no file {name!r}.")
    require_trust(trust, name, "it is TorchScript, a program that can read and write files")
    # Before the block, so that its logger is there.
    from torch._export.converter import TS2EPConverter

    with without_log_messages("torch"), without_warnings:
        try:
            script = torch.jit.load(name, map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except Exception as error:
            raise ModelError(
                f"{name!r} cannot be read as TorchScript ({type(error).__name__}); it is damaged or"
                " of another format."
            ) from error
        height, width = user_options.size(side)
        image = torch.zeros(1, channels, height, width)
        try:
            script(image)
        except Exception as error:
            said = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{name!r} cannot run on 1 x {channels} x {height} x {width} (set channels= and"
                f" size=): {said}"
            ) from error
        try:
            program = TS2EPConverter(script, (image,)).convert()
        except Exception as error:
            raise ModelError(
                f"{name!r} is TorchScript, which takes no hooks, and it could not be converted"
                f" ({type(error).__name__}); save the network with torch.export.save, or give its"
                " weights and architecture (file:PATH with arch=)."
            ) from error
    return from_program(program, name, converted_for=(channels, height, width))
