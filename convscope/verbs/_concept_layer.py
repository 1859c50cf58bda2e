"""A layer whose activations on photos are taken apart: what a concept method reads, and what
follows the layer, ready to run on what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from convscope.concepts import registry
from convscope.concepts.crops import crops_of
from convscope.concepts.factors import Factors, Floats
from convscope.core.progress import track
from convscope.core.quantities import pluralize
from convscope.core.types import Options
from convscope.errors import LayerError, NumericError, OptionError
from convscope.photos.load_image import load_photos
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.probe.partial_forward import PartialForward
from convscope.results.arrays import to_numpy
from convscope.verbs._verb import network_input

BATCH = 32
"""Photos, or changed activations, that run at once."""

KEPT_BYTES = 256 * 2**20
"""Of what follows the layer, kept for one photo after another."""


@dataclass
class ConceptLayer:
    """`maps` (n c h w) are what the layer gave for `image`, `places` (n*h*w c) the same as the
    method reads it, a row for each place."""

    probe: Probe
    image: Tensor
    name: str
    method: str
    options: Options
    maps: Tensor
    places: Floats
    _partials: dict[int, PartialForward] = field(default_factory=dict)
    _crops: dict[float, Floats] = field(default_factory=dict)
    _examples: dict[str, dict[str, Floats]] = field(default_factory=dict)

    @classmethod
    def read(
        cls, probe: Probe, image: Tensor, layer: str | None, method: str, options: Options
    ) -> ConceptLayer:
        """Run the photos up to the layer, by default the last one with places.

        Raises:
            LayerError: there is none.
            NumericError: it is silent, or not finite.
            OptionError: an option that the method does not have.
        """
        options = registry.schema(method).validate(options)
        name = layer or probe.layers.last_spatial()
        if name is None:
            raise LayerError(f"{probe.model.name} has no layer with places; name one with layer=.")
        maps = _maps_of(probe, image, name)
        rows = to_numpy(maps.permute(0, 2, 3, 1).flatten(0, 2))
        places = np.maximum(rows, 0) if registry.traits(method).clips else rows
        if not np.isfinite(places).all():
            raise NumericError(
                "The layer's activations are NaN or infinite, so they have no concepts."
            )
        if not places.any():
            raise NumericError("The layer is silent on these photos, so it has no concepts there.")
        return cls(probe, image, name, method, options, maps, places)

    @property
    def most(self) -> int:
        """The largest number of concepts that can be told apart."""
        places, channels = self.places.shape
        return int(min(places, channels))

    def factorize(self, count: int, seed: int) -> Factors:
        """The activations as `count` concepts.

        Raises:
            OptionError: more concepts than channels, places or crops.
        """
        traits = registry.traits(self.method)
        num_places, channels = self.places.shape
        if not traits.labeled and count > (num_places if traits.overcomplete else self.most):
            raise OptionError(
                f"{pluralize(count, 'concept')} cannot be told apart in"
                f" {pluralize(channels, 'channel')} at {pluralize(num_places, 'place')} of the"
                " photos; ask for fewer, or give more photos."
            )
        function = registry.get(self.method)
        options = {"seed": seed, **self.options}
        others = (
            [self._crop_activations]
            if traits.crops
            else [self.example_activations]
            if traits.labeled
            else []
        )
        factors: Factors = function(self.places, *others, count, **options)
        return factors

    def example_activations(self, source: str) -> dict[str, Floats]:
        """The activations of other photos, averaged over places, by label (n c each).

        Raises:
            InputError, ImageError: there are no photos, or one cannot be read.
        """
        if source not in self._examples:
            self._examples[source] = averaged_by_label(self.probe, self.name, source)
        return self._examples[source]

    def _crop_activations(self, share: float, fewest: int) -> Floats:
        """The pooled activations of all crops (m c)."""
        if share not in self._crops:
            rows = []
            for image in track(self.image, "crops", len(self.image)):
                maps = _maps_of(self.probe, crops_of(image[None], share), self.name)
                # Clipped before they are pooled, as a nonlinearity in the network would.
                maps = maps.clamp_min(0) if registry.traits(self.method).clips else maps
                rows.append(to_numpy(maps.mean((2, 3))))
            self._crops[share] = np.concatenate(rows)
        crops = self._crops[share]
        if len(crops) < fewest:
            raise OptionError(
                f"{pluralize(fewest, 'concept')} cannot be told apart in"
                f" {pluralize(len(crops), 'crop')}; ask for fewer, give more photos, or make the"
                " crops smaller."
            )
        return crops

    def as_maps(self, rows: Floats) -> Tensor:
        """A row for each place (n*h*w k) as maps (n k h w)."""
        count, _, height, width = self.maps.shape
        maps = torch.from_numpy(rows).reshape(count, height, width, -1).permute(0, 3, 1, 2)
        return maps.contiguous().to(self.maps.device)

    def partial(self, at: int) -> PartialForward:
        """What follows the layer, for one photo; kept while there is room."""
        if at not in self._partials:
            partial = self.probe.partial_forward(self.image[at : at + 1], self.name)
            if partial.nbytes * (len(self._partials) + 1) > KEPT_BYTES:
                return partial
            self._partials[at] = partial
        return self._partials[at]


def averaged_by_label(probe: Probe, layer: str, source: str) -> dict[str, Floats]:
    """The activations of a source's photos, averaged over places, by label (n c each)."""
    photos = source_of(source)
    rows: dict[str, list[Floats]] = {}
    entries = list(photos.walk())
    for first in track(range(0, len(entries), BATCH), "examples", -(-len(entries) // BATCH)):
        batch = entries[first : first + BATCH]
        tensors = [load_photos(photos.read(entry))[0] for entry in batch]
        maps = _maps_of(probe, network_input(probe.model, tensors), layer)
        for entry, row in zip(batch, to_numpy(maps.mean((2, 3))), strict=True):
            rows.setdefault(entry.label or "", []).append(row)
    return {label: np.stack(label_rows) for label, label_rows in sorted(rows.items())}


def _maps_of(probe: Probe, image: Tensor, layer: str) -> Tensor:
    batches = torch.split(image, BATCH)
    return torch.cat([probe.activations(batch, [layer])[layer].float() for batch in batches])
