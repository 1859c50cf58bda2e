"""What a verb takes beside the runs of the network that it must make, by verb and network.

Ours is the public call with a PIL photo, on a loaded model, as its users make it: checks,
preprocessing, looking for changes in the weights, provenance and hashes are inside. `first` is the
first call on a network that nothing is known of, which also makes the dry run and the prepared
copy. The limit is the bare cost: the runs of the network that the verb makes, on tensors that are
ready. `predict`, `activations` and `saliency` run the network itself, so that their numbers are its
own to the last bit; the others run the prepared copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from PIL import Image
from torch import Tensor

import convscope
from benchmarks._duel import Row, Run, Setting, duel, rows, timed
from benchmarks.speed_rows._networks import model_of, peer_input, photos
from benchmarks.speed_rows.ascent import SEEN, there_and_back
from convscope.networks.model import Model
from convscope.probe.inference_copy import inference_copy

SHARE, SECONDS = 1.05, 0.003
"""The second call may take this share of the bare cost, and so many seconds more."""

FIRST_SECONDS = 1.5
"""What the first call may take beside the bare cost."""

STEPS = 4
CLASS = 281
TINY = 1e-6
"""A step too small to fool."""

MIDDLE = {
    "embedded": "blocks.4",
    "resnet50": "layer3",
    "vgg16": "features.17",
    "vit_b_16": "encoder.layers.encoder_layer_6",
}
LAST = {"embedded": "bn2", "resnet50": "layer4", "vgg16": "features.29"}
"""For Grad-CAM; a transformer's default layer is asked for by leaving it out."""

Call = Callable[[Model, Image.Image], object]
Job = tuple[Call, Callable[[Model], Run]]
"""A verb's call, and the runs that it cannot do without."""


def forwards(model: Model, count: int = 1) -> Run:
    """So many runs of the prepared network without gradients."""
    return forwards_of(inference_copy(model).network, model, count)


def plain_forward(model: Model) -> Run:
    """One run of the network itself without gradients."""
    return forwards_of(model.network, model, 1)


def plain_gradient(model: Model) -> Run:
    """One run of the network itself, and back to its input."""
    network = copy.deepcopy(model.network).requires_grad_(False)
    entered = peer_input(model, photos(1, model.size[0]))

    def run() -> None:
        leaf = entered.detach().requires_grad_()
        torch.autograd.grad(network(leaf)[:, CLASS].sum(), leaf)

    return run


def forwards_of(network: Callable[[Tensor], object], model: Model, count: int) -> Run:
    """So many runs of a network without gradients, on pixels in the order of its weights."""
    entered = peer_input(model, photos(1, model.size[0]))
    if network is not model.network:
        entered = entered.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.no_grad():
            for _ in range(count):
                network(entered)

    return run


def to_layer(model: Model, layer: str) -> Run:
    """One run of the network itself that ends at a layer."""
    entered = peer_input(model, photos(1, model.size[0]))

    class Stop(Exception):
        pass

    def halt(module: torch.nn.Module, inputs: object, output: Tensor) -> None:
        raise Stop

    def run() -> None:
        handle = model.modules[layer].register_forward_hook(halt)
        try:
            with torch.no_grad():
                model.network(entered)
        except Stop:
            pass
        finally:
            handle.remove()

    return run


def there_and_back_often(model: Model, layer: str | None, side: int, count: int) -> Run:
    """Runs to a layer or the end and back to the input, one after the other."""
    once = there_and_back(model, layer, (1, 3, side, side))

    def run() -> None:
        for _ in range(count):
            once()

    return run


def jobs(name: str) -> dict[str, Job]:
    """Every verb's call on one network, and its bare cost."""
    layer = MIDDLE[name]
    last = LAST.get(name)
    # A plain transformer takes its own size only.
    side = 224 if name == "vit_b_16" else SEEN

    def fooling(model: Model) -> Run:
        ascents, checks = there_and_back_often(model, None, 224, STEPS), forwards(model, 3)

        def run() -> None:
            ascents()
            checks()

        return run

    return {
        "predict": (lambda model, photo: convscope.predict(model, photo), plain_forward),
        "activations": (
            lambda model, photo: convscope.activations(model, photo, layers=[layer]),
            lambda model: to_layer(model, layer),
        ),
        "explain, grad_cam": (
            lambda model, photo: convscope.explain(
                model, photo, method="grad_cam", target=CLASS, layer=last
            ),
            forwards,
        ),
        "explain, saliency": (
            lambda model, photo: convscope.explain(model, photo, method="saliency", target=CLASS),
            plain_gradient,
        ),
        f"visualize, {STEPS} steps": (
            lambda model, photo: convscope.visualize(model, f"{layer}:3", steps=STEPS, size=224),
            lambda model: there_and_back_often(model, layer, side, STEPS),
        ),
        f"fool, {STEPS} steps": (
            lambda model, photo: convscope.fool(model, photo, target=CLASS, steps=STEPS, rate=TINY),
            fooling,
        ),
    }


def called(call: Call, model: Model, photo: Image.Image) -> Run:
    """The verb's call on a model and a photo."""

    def run() -> None:
        call(model, photo)

    return run


def first_call(call: Call, model: Model, photo: Image.Image) -> Run:
    """The same on a copy of the network, of which nothing is known yet."""
    return called(call, copy.deepcopy(model), photo)


def run(setting: Setting) -> Iterator[Row]:
    """A row for each verb and network."""
    for name in ("embedded",) if setting.quick else MIDDLE:
        model = model_of(name, setting.device)
        photo = photos(1, model.size[0])[0]
        for verb, (call, bare_cost) in jobs(name).items():
            first = timed(first_call(call, model, photo), setting.device)
            contestants = {"ours": called(call, model, photo), "limit": bare_cost(model)}
            timing = duel(contestants, setting.patience, setting.device)
            for row in rows(timing, group="overhead", job=verb, network=name, limit="limit"):
                assert row.limit is not None
                row.allowed = SHARE + SECONDS / row.limit
                row.first, row.first_allowed = first, row.limit + FIRST_SECONDS
                yield row
