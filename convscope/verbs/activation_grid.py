from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.core.ranges import NonNegativeFloat, PositiveInt, Seed, Side, Steps
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BatchOptions, optimize_batches
from convscope.synthesis.settings import Settings
from convscope.verbs._places import pooled_activations
from convscope.verbs._synthesis import images_result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

SMALLEST = 0.3
"""How large the cell with the shortest vector is drawn beside the longest."""


@verb
def activation_grid(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | None = None,
    cells: PositiveInt = 7,
    size: Side = 48,
    scaled: bool = True,
    preset: str = "quick",
    steps: Steps = 48,
    power: NonNegativeFloat = 2.0,
    seed: Seed = 0,
    batch: PositiveInt = 64,
) -> Result:
    """A photo as a layer sees it, place by place: each cell is a picture of the direction that the
    activation has there (Olah et al., The Building Blocks of Interpretability, 2018).

    `result["image"]` is n 3 H W in [0, 1], a grid for each photo; `result["score"]` has the cells'
    scores at each step, `result["norm"]` (n h w) the lengths of the activations. A layer with more
    places than `cells` a side is averaged over equal areas first.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: the layer; by default the last one whose output still has places.
        cells: at most so many cells a side, up to 16.
        size: height and width of a cell's picture in pixels.
        scaled: draw a cell the smaller, the shorter its activation is; gray is the space left over.
        preset: a published way of making pictures.
        steps: of each cell's picture.
        power: of the cosine between activation and direction in what is raised (Carter et al.,
            2019).
        seed: of the one random generator.
        batch: pictures optimized at once.

    Raises:
        LayerError: no such layer, or one without places.

    Example:
        convscope.activation_grid(model, "cat.jpg", layer="blocks.5")
        $ convscope activation_grid cat.jpg --layer blocks.5 --out grid.png
    """
    settings = Settings(preset, "visualize", model.preprocessing, steps=steps, size=size)
    image = network_input(model, photo)
    with Probe(model) as probe:
        name, vectors = pooled_activations(probe, image, layer, cells)
        rows = vectors.permute(0, 2, 3, 1).flatten(0, 2)
        optimization = optimize_batches(
            probe,
            [
                objective("direction", layer=name, vector=tuple(row), power=power)
                for row in rows.tolist()
            ],
            settings,
            BatchOptions(seed, batch, task=f"activation grid of {name}"),
        )
    norm = vectors.norm(dim=1)
    details = ImagesDetails(titles=[name] * len(photo), layer=name, preset=settings.title)
    grids = _grids(optimization.image.float().cpu(), norm.cpu(), scaled)
    result = images_result("activation_grid", optimization, replace(details), bytes_of(photo))
    arrays = {
        "image": grids.numpy(),
        "score": result["score"],
        "norm": norm.cpu().contiguous().numpy(),
    }
    ended = replace(result.details_as(ImagesDetails), titles=details.titles, dead=[])
    return replace(result, arrays=arrays, details=ended)


def _grids(images: Tensor, norm: Tensor, scaled: bool) -> Tensor:
    """The cells' pictures (n*h*w 3 s s) as a grid a photo (n 3 h*s w*s)."""
    count, height, width = norm.shape
    size = images.shape[-1]
    grids = torch.full((count, images.shape[1], height * size, width * size), 0.5)
    longest = norm.amax((1, 2)).clamp_min(1e-12)
    for cell, image in enumerate(images.clamp(0, 1)):
        at, place = divmod(cell, height * width)
        row, column = divmod(place, width)
        share = float(norm[at, row, column] / longest[at]) if scaled else 1.0
        side = max(1, round(size * (SMALLEST + (1 - SMALLEST) * share)))
        small = interpolate(image[None], (side, side), mode="area")[0]
        top, left = row * size + (size - side) // 2, column * size + (size - side) // 2
        grids[at, :, top : top + side, left : left + side] = small
    return grids
