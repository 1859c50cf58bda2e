"""`unit:blocks.3:11`, `unit:blocks.3:11:4,7`: a unit inside the network (neuron attribution)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from torch import Tensor

from convscope.errors import TargetError
from convscope.networks.layer import Layers, Unit
from convscope.networks.layout import Layout, first_tensor
from convscope.questions.question import Question

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class UnitQuestion(Question):
    """The mean of a unit's map, or its value at one place: what Captum calls neuron attribution.

    `located` adds what only a run of the network can tell: how the layer's output lies in its
    tensor.
    """

    text: str
    unit: Unit | None = None
    layout: Layout | None = field(default=None, compare=False)
    image_size: tuple[int, int] | None = None

    @classmethod
    def parse(cls, model: Model, text: str) -> UnitQuestion:
        """What follows `unit:`; it is looked up when the layers are known."""
        return cls(f"unit:{text.strip()}")

    @property
    def layer(self) -> str | None:  # type: ignore[override]
        return self.text.removeprefix("unit:").partition(":")[0]

    def of_any_image(self) -> UnitQuestion:
        """
        Raises:
            TargetError: always: pictures are made for the unit itself.
        """
        raise TargetError(
            f"A picture is made for the unit itself: write {self.text.removeprefix('unit:')}"
            f" instead of {self}."
        )

    def located(self, layers: Layers, layout: Layout, image_size: tuple[int, int]) -> UnitQuestion:
        """The same, checked against the network's layers.

        Raises:
            LayerError, UnitError: there is no such unit.
        """
        unit = layers.unit(self.text.removeprefix("unit:"))
        return replace(self, unit=unit, layout=layout, image_size=image_size)

    def score(self, model: Model, output: object) -> Tensor:
        tensor = first_tensor(output)
        if self.unit is None or self.layout is None or self.image_size is None or tensor is None:
            raise TargetError(f"{self} can be asked by explain only.")
        maps = self.layout.to_maps(tensor, self.unit.layer, self.image_size)[:, self.unit.index]
        if self.unit.row is None or self.unit.column is None:
            return maps.float().mean((1, 2))
        return maps[:, self.unit.row, self.unit.column].float()

    def __str__(self) -> str:
        return self.text
