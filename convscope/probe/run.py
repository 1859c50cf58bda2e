"""One forward pass: foreign errors become one sentence, and an early stop is no error."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import ConvscopeError, ImageError, ModelError
from convscope.networks.model import Model
from convscope.probe.capture import StopForward
from convscope.probe.memory import is_out_of_memory, require_room


def run_network(model: Model, image: Tensor, *, stop: bool = False) -> object:
    """What the network returns for an input (n c h w), in bfloat16 where the model is set to it.

    Args:
        stop: hooks may end the run early; None is returned then.

    Raises:
        ImageError: the network cannot run on an image of this size.
        ModelError: it raised something else.
        OptionError: so many and so large images have no room in memory.
    """
    require_room(
        model,
        len(image),
        (image.shape[-2], image.shape[-1]),
        gradients=image.requires_grad,
    )
    try:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=model.half):
            return model(image)
    except StopForward:
        if stop:
            return None
        raise
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise _translated(error, model, image) from error


def _translated(error: Exception, model: Model, image: Tensor) -> Exception:
    if isinstance(error, ConvscopeError) or is_out_of_memory(error):
        return error
    size = " x ".join(map(str, image.shape[-2:]))
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if tuple(image.shape[-2:]) != tuple(model.size):
        model_size = " x ".join(map(str, model.size))
        return ImageError(
            f"{model.name} cannot run on an image of {size} (its own size is {model_size}):"
            f" {reason}"
        )
    return ModelError(
        f"{model.name} raised {type(error).__name__} while it ran on an image of {size}: {reason}"
    )


def normal_tensor(image: Tensor) -> Tensor:
    """An image that autograd may work on, also when the caller made it under `inference_mode`."""
    return image.clone() if image.is_inference() else image
