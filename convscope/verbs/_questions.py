"""Questions made ready for photos: names looked up, and the Model that answers them."""

from __future__ import annotations

import copy

from torch import Tensor

from convscope.networks.concept_layer import module_and_call
from convscope.networks.layout import image_size
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import Target


def ask(probe: Probe, targets: Target, image: Tensor, photos: list[Tensor]) -> tuple[Model, Target]:
    """The questions with everything looked up that photos and layers tell, and the Model to run.

    A question about a unit is asked of the same network, read at the unit's layer.
    """
    sizes = [(photo.shape[-2], photo.shape[-1]) for photo in photos]
    targets = targets.prepared(sizes)
    layer = targets.layer
    if layer is None:
        return probe.model, targets
    targets = targets.located(probe.layers, probe.layout, image_size(image))
    model = copy.copy(probe.model)
    model.output_layer = module_and_call(layer)[0]
    return model, targets
