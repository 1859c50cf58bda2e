"""Fooling against foolbox's L2 PGD: seconds per image and step, with a step too small to fool, so
that no one ends early.

Ours is `convscope.fool` on PIL photos; foolbox gets a tensor made by torchvision inside the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

import convscope
from benchmarks._duel import Duel, Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing, precisions_of
from benchmarks.speed_rows._networks import model_of, network_of, photos
from convscope.networks.model import Model

STEPS = 4
TINY = 1e-6
CLASS = 7


class _Classifier(nn.Module):
    """From images in [0, 1] to scores, as foolbox wants it."""

    def __init__(self, model: Model, network: Any) -> None:
        super().__init__()
        self.model, self.network = model, network

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.network(self.model.preprocess(image))
        return scores


def ours(model: Model, photos: list[Image.Image], *, half: bool = False) -> Run:
    """The verb, as its users call it."""

    def run() -> None:
        result = convscope.fool(model, photos, target=CLASS, steps=STEPS, rate=TINY, half=half)
        assert all(row["steps"] == STEPS for row in result.table)

    return run


def foolboxs(model: Model, network: Any, photos: list[Image.Image]) -> Run:
    """foolbox, on the network in full precision."""
    import foolbox
    from torchvision.transforms.v2 import functional

    target = foolbox.PyTorchModel(_Classifier(model, network).eval(), bounds=(0, 1))
    criterion = foolbox.criteria.TargetedMisclassification(
        torch.full((len(photos),), CLASS, device=model.device)
    )
    attack = foolbox.attacks.L2PGD(steps=STEPS, abs_stepsize=TINY)

    def run() -> None:
        image = torch.stack(
            [functional.to_dtype(functional.pil_to_tensor(photo), scale=True) for photo in photos]
        ).to(model.device)
        attack(target, image, criterion, epsilons=TINY)

    return run


def run(setting: Setting) -> Iterator[Row]:
    """A row for each network and batch."""
    absent = missing("foolbox")
    precisions = precisions_of(setting.device)
    for name in ("embedded",) if setting.quick else ("resnet50", "embedded"):
        for batch in (1, 2):
            model = model_of(name, setting.device)
            pictures = photos(batch)
            contestants = {who: ours(model, pictures, half=who != "ours") for who in precisions}
            if not absent:
                contestants["foolbox L2 PGD"] = foolboxs(
                    model, network_of(name, setting.device), pictures
                )
            timing = duel(contestants, setting.patience, setting.device)
            each = Duel(
                {
                    who: [seconds / batch / STEPS for seconds in times]
                    for who, times in timing.times.items()
                },
                timing.once,
            )
            for who, title in precisions.items():
                for row in rows(
                    each,
                    group="fooling",
                    job=f"fool, batch of {batch}{title}",
                    network=name,
                    unit="image and step",
                    ours=who,
                    wanted=2.0,
                ):
                    if absent:
                        row.peer, row.missing = "foolbox L2 PGD", absent
                    yield row
