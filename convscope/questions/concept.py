"""`concept:NAME/3`: how strongly a saved concept is in a layer's output."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.networks.concept_file import SavedConcept, read_concept
from convscope.networks.layer import Layers
from convscope.networks.layout import Layout, first_tensor
from convscope.questions.question import Question

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class ConceptQuestion(Question):
    """The mean over all places of the activation's dot product with the concept's direction."""

    text: str
    concept: SavedConcept
    layout: Layout | None = field(default=None, compare=False)
    image_size: tuple[int, int] | None = None

    @classmethod
    def parse(cls, model: Model, text: str) -> ConceptQuestion:
        """What follows `concept:`.

        Raises:
            InputError, UnitError: there is no such file or concept.
        """
        return cls(f"concept:{text.strip()}", read_concept(f"concept:{text}"))

    @property
    def layer(self) -> str | None:  # type: ignore[override]
        return self.concept.layer

    def located(
        self, layers: Layers, layout: Layout, image_size: tuple[int, int]
    ) -> ConceptQuestion:
        """The same, checked against the network's layers.

        Raises:
            LayerError: there is no such layer.
            TargetError: the concept is of a layer with another number of channels.
        """
        units = layers[self.concept.layer].units
        if units != len(self.concept.direction):
            raise TargetError(
                f"{self} has {len(self.concept.direction)} numbers, but {self.concept.layer!r} has"
                f" {units} channels; it is of another network."
            )
        return replace(self, layout=layout, image_size=image_size)

    def score(self, model: Model, output: object) -> Tensor:
        tensor = first_tensor(output)
        if self.layout is None or self.image_size is None or tensor is None:
            raise TargetError(f"{self} can be asked by explain only.")
        maps = self.layout.to_maps(tensor, self.concept.layer, self.image_size).float()
        direction = torch.tensor(self.concept.direction, device=maps.device)
        return torch.einsum("nchw,c->nhw", maps, direction).mean((1, 2))

    def __str__(self) -> str:
        return self.text
