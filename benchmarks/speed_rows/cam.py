"""The CAM family against pytorch-grad-cam and torch-cam: seconds a call, on the same input and
class.

Ours is `convscope.explain` on a loaded model, with PIL photos and a named layer: preprocessing,
heatmap and provenance are inside. A peer's call is what its users write: torchvision's
preprocessing, make the object, run it, take it down; a batch also one photo at a time, and what is
wanted holds for the faster of both. torch-cam's CAM and Score-CAM run without gradients, as its
documentation shows them. Grad-CAM's limit is one run, without gradients, of the prepared network
(a copy with batch norms folded into convolutions) on inputs that are already tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image
from torch import Tensor

import convscope
from benchmarks._duel import Duel, Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing, missing_bfloat16
from benchmarks.speed_rows._networks import model_of, network_of, peer_input, photos
from convscope.networks.model import Model
from convscope.probe.inference_copy import inference_copy

INDEX = 281
LAYER = {"resnet50": "layer4", "embedded": "bn2"}

FAMILY = {
    "grad_cam": ("GradCAM", "GradCAM"),
    "grad_cam_plus_plus": ("GradCAMPlusPlus", "GradCAMpp"),
    "xgrad_cam": ("XGradCAM", "XGradCAM"),
    "hires_cam": ("HiResCAM", None),
    "layer_cam": ("LayerCAM", "LayerCAM"),
    "eigen_cam": ("EigenCAM", None),
    "eigen_grad_cam": ("EigenGradCAM", None),
    "finer_cam": ("FinerCAM", "FinerCAM"),
    "shapley_cam": ("ShapleyCAM", None),
    "fullgrad": ("FullGrad", None),
    "cam": (None, "CAM"),
    "score_cam": ("ScoreCAM", "ScoreCAM"),
    "ablation_cam": ("AblationCAM", None),
}
"""Method -> its class in pytorch-grad-cam and in torch-cam."""

WANTED = {
    "grad_cam": {"pytorch-grad-cam": 4.0, "torch-cam": 1.0},
    "score_cam": {"pytorch-grad-cam": 4.0, "torch-cam": 1.0},
    "ablation_cam": {"pytorch-grad-cam": 50.0},
}
WITHOUT_GRADIENTS = ("CAM", "ScoreCAM")
"""Classes of torch-cam that are shown in `torch.inference_mode`."""

SLOW = ("score_cam", "ablation_cam")
"""Those that run the network once for each channel: only on request."""


def ours(model: Model, method: str, photos: list[Image.Image], **options: Any) -> Run:
    """The verb, as its users call it."""

    def run() -> None:
        convscope.explain(model, photos, method=method, target=INDEX, **options)

    return run


def grad_cams(name: str, model: Model, network: Any, layer: str, photos: list[Image.Image]) -> Run:
    """pytorch-grad-cam."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def run() -> None:
        image = peer_input(model, photos)
        with getattr(pytorch_grad_cam, name)(
            model=network, target_layers=[network.get_submodule(layer)]
        ) as cam:
            # FinerCAM takes no targets of its own here.
            cam(
                input_tensor=image,
                targets=(
                    None if name == "FinerCAM" else [ClassifierOutputTarget(INDEX)] * len(image)
                ),
            )

    return run


def torch_cams(name: str, model: Model, network: Any, layer: str, photos: list[Image.Image]) -> Run:
    """torch-cam."""
    from torchcam import methods

    def run() -> None:
        image = peer_input(model, photos)
        with getattr(methods, name)(network, layer) as extractor:
            with torch.inference_mode(name in WITHOUT_GRADIENTS):
                scores = network(image.requires_grad_() if name == "FinerCAM" else image)
            extractor([INDEX] * len(image), scores)
        network.zero_grad(set_to_none=True)

    return run


def one_at_a_time(make: Callable[..., Run], *arguments: Any) -> Run:
    """A peer's calls on single photos; the photos are the last of the arguments."""
    *others, photos = arguments
    runs = [make(*others, [photo]) for photo in photos]

    def run() -> None:
        for single in runs:
            single()

    return run


def bare(model: Model, layer: str, image: Tensor) -> Run:
    """One run of the prepared network."""
    fast = inference_copy(model, [layer]).network
    entered = image.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.no_grad():
            fast(entered)

    return run


def jobs(slow: bool) -> list[tuple[str, str, int]]:
    """Method, network and batch."""
    grad_cam = [("grad_cam", name, batch) for name in LAYER for batch in (1, 8)]
    rest = [
        (method, "resnet50", 1)
        for method in FAMILY
        if method != "grad_cam" and (slow or method not in SLOW)
    ]
    return grad_cam + rest


def aims(timing: Duel, wanted: dict[str, float] | float) -> dict[str, float]:
    """What is wanted over each peer, asked of the faster of its ways."""
    goals = {}
    for peer in ("pytorch-grad-cam", "torch-cam"):
        ways = [name for name in timing.times if name.startswith(peer)]
        if ways:
            goal = wanted[peer] if isinstance(wanted, dict) else wanted
            goals[min(ways, key=timing.seconds)] = goal
    return goals


def run(setting: Setting) -> Iterator[Row]:
    """A row for each method and peer that has it."""
    absent = {"pytorch-grad-cam": missing("pytorch_grad_cam"), "torch-cam": missing("torchcam")}
    for method, name, batch in jobs(setting.slow):
        model, layer, pictures = model_of(name, setting.device), LAYER[name], photos(batch)
        options = {} if method == "fullgrad" else {"layer": layer}
        contestants = {
            "ours": ours(model, method, pictures, **options),
            "limit": bare(model, layer, peer_input(model, pictures)),
        }
        has_half = method in SLOW and not missing_bfloat16(setting.device)
        if has_half:
            contestants["ours in half"] = ours(model, method, pictures, half=True, **options)
        for peer, theirs, make in zip(absent, FAMILY[method], (grad_cams, torch_cams), strict=True):
            if theirs and not absent[peer]:
                arguments = theirs, model, network_of(name, setting.device), layer, pictures
                contestants[peer] = make(*arguments)
                if batch > 1:
                    contestants[f"{peer}, one at a time"] = one_at_a_time(make, *arguments)
            elif theirs:
                yield Row("cam", f"{method}, batch of {batch}", name, peer, missing=absent[peer])
        timing = duel(contestants, setting.patience, setting.device)
        wanted = aims(timing, WANTED.get(method, 1.0))
        allowed = 1.10 if method == "grad_cam" else None
        yield from rows(
            timing,
            group="cam",
            job=f"{method}, batch of {batch}",
            network=name,
            limit=None if method in SLOW else "limit",
            wanted=wanted,
            allowed=allowed,
        )
        if has_half:
            yield from rows(
                timing,
                group="cam",
                job=f"{method}, batch of {batch}, bfloat16",
                network=name,
                ours="ours in half",
                wanted=wanted,
                allowed=allowed,
            )
