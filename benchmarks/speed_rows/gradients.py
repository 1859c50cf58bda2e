"""Saliency, SmoothGrad, integrated gradients and occlusion against Captum, one photo on ResNet-50
and the embedded network.

Ours is `convscope.explain` on a PIL photo; Captum gets a tensor made by torchvision's
preprocessing inside the call. Captum's noisy copies also run one by one, and its steps of
integrated gradients eight at a time, whichever is faster for it. RISE has no row, since no peer
has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image

from benchmarks._duel import Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing
from benchmarks.speed_rows._networks import model_of, network_of, peer_input, photos
from benchmarks.speed_rows.cam import INDEX, ours
from convscope.networks.model import Model

SAMPLES, STEPS = 10, 25
"""Of SmoothGrad and of integrated gradients, the same for both."""

WANTED = {"integrated_gradients": 3.0}
"""Over the fastest of Captum's ways; 1.5 where no other number is here."""


def captums(model: Model, network: Any, photos: list[Image.Image]) -> dict[str, dict[str, Run]]:
    """Method -> title -> the call."""
    from captum import attr

    def call(method: Any, **options: Any) -> Run:
        def run() -> None:
            method.attribute(peer_input(model, photos), target=INDEX, **options)

        return run

    tunnel = attr.NoiseTunnel(attr.Saliency(network))
    window = {"sliding_window_shapes": (3, 64, 64), "strides": (3, 40, 40)}
    image = peer_input(model, photos)
    noisy = {"nt_samples": SAMPLES, "stdevs": 0.15 * float(image.max() - image.min())}
    return {
        "saliency": {"Captum": call(attr.Saliency(network))},
        "smoothgrad": {
            "Captum": call(tunnel, **noisy),
            "Captum, one copy at a time": call(tunnel, nt_samples_batch_size=1, **noisy),
        },
        "integrated_gradients": {
            "Captum": call(attr.IntegratedGradients(network), n_steps=STEPS),
            "Captum, 8 at a time": call(
                attr.IntegratedGradients(network), n_steps=STEPS, internal_batch_size=8
            ),
        },
        "occlusion": {"Captum": call(attr.Occlusion(network), **window)},
    }


OPTIONS = {
    "occlusion": {"window": 64, "stride": 40},
    "smoothgrad": {"samples": SAMPLES},
    "integrated_gradients": {"steps": STEPS},
    "saliency": {},
}


def run(setting: Setting) -> Iterator[Row]:
    """A row for each method, network and way to call Captum."""
    absent = missing("captum")
    for name in ("embedded",) if setting.quick else ("resnet50", "embedded"):
        model, pictures = model_of(name, setting.device), photos(1)
        peers = {} if absent else captums(model, network_of(name, setting.device), pictures)
        for method, options in OPTIONS.items():
            contestants = {
                "ours": ours(model, method, pictures, **options),
                **peers.get(method, {}),
            }
            timing = duel(contestants, setting.patience, setting.device)
            # A user who knows Captum takes the way that is fastest for it.
            fastest = min(peers.get(method, {}), key=timing.seconds, default="Captum")
            yield from rows(
                timing,
                group="gradients",
                job=method,
                network=name,
                wanted={fastest: WANTED.get(method, 1.5)},
                absent={"Captum": absent},
            )
