"""The same question asked of Captum, pytorch-grad-cam and torch-cam, with what they do to the
numbers afterwards left out."""

from __future__ import annotations

import contextlib
import io
import warnings

import torch
from torch import nn


def closeness(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference over the largest value."""
    theirs = torch.as_tensor(theirs)
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max() / theirs.abs().max())


@contextlib.contextmanager
def quiet():
    """Peers warn and draw progress bars."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def not_in_place(network: nn.Module) -> nn.Module:
    """Captum's backward hooks do not work on in-place ReLUs."""
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return network


def grad_cam_peer(
    name: str, network: nn.Module, layer: str, image: torch.Tensor, index: int
) -> torch.Tensor:
    """A CAM of pytorch-grad-cam before its ReLU, scaling and resizing: n h w."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    seen = {}
    with quiet():
        cam = getattr(pytorch_grad_cam, name)(
            model=network, target_layers=[network.get_submodule(layer)]
        )
        step = "compute_cam_per_layer" if name == "FullGrad" else "get_cam_image"
        original = getattr(cam, step)

        def spy(*given, **named):
            seen["map"] = original(*given, **named)
            return seen["map"]

        setattr(cam, step, spy)
        cam(input_tensor=image.clone(), targets=[ClassifierOutputTarget(index)] * len(image))
        cam.activations_and_grads.release()
    network.zero_grad(set_to_none=True)
    actual = torch.as_tensor(seen["map"]).detach()
    return actual[:, 0] if name == "FullGrad" else actual
