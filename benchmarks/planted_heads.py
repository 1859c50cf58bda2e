"""Classifiers of planted photos: linear heads on the embedded network."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

import convscope
from benchmarks.planted_photos import CLASSES, PlantedPhoto
from convscope.networks.model import Model
from convscope.photos.fingerprint import fingerprint

SIDE = 160
"""Of the photos, in pixels."""


def images(planted: list[PlantedPhoto]) -> Tensor:
    """Photos as n 3 h w in [0, 1]."""
    pixels = np.stack([photo.image for photo in planted])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


class Heads:
    """Trains linear heads on the embedded network; a photo's features are computed once."""

    def __init__(self) -> None:
        self.base = convscope.load_model()
        self.trunk = copy.deepcopy(self.base.network)
        self.trunk.classifier = nn.Identity()
        # The features are those that the audited network has, not those of a batch.
        self.trunk.eval()
        self._features: dict[str, Tensor] = {}

    def features(self, planted: list[PlantedPhoto]) -> Tensor:
        """The pooled features (n c)."""
        image = images(planted)
        names = [fingerprint(single) for single in image]
        missing = [at for at, name in enumerate(names) if name not in self._features]
        with torch.inference_mode():
            for places in torch.tensor(missing, dtype=torch.long).split(32):
                rows = self.trunk(self.base.preprocess(image[places]))
                self._features |= {
                    names[at]: row.clone() for at, row in zip(places.tolist(), rows, strict=True)
                }
        return torch.stack([self._features[name] for name in names]).clone()

    def train(self, planted: list[PlantedPhoto], seed: int) -> Model:
        """A classifier of the photos' classes."""
        features = self.features(planted)
        labels = torch.tensor([photo.label for photo in planted])
        torch.manual_seed(seed)
        head = nn.Linear(features.shape[1], len(CLASSES))
        optimizer = torch.optim.Adam(head.parameters(), 3e-3, weight_decay=1e-3)
        for _ in range(300):
            loss = nn.functional.cross_entropy(head(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network = copy.deepcopy(self.trunk)
        network.classifier = head
        known = self.base.preprocessing
        return convscope.load_model(
            network.eval(), size=(SIDE, SIDE), mean=known.mean, std=known.std, labels=list(CLASSES)
        )
