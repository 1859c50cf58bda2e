from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.networks.layout import image_size
from convscope.networks.model import Model
from convscope.networks.task import detection_tokens
from convscope.probe import Probe
from convscope.probe.attention import Attention, run_with_attention
from convscope.questions.pixel import PixelQuestion
from convscope.results.arrays import to_numpy
from convscope.results.details import AttributionDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb


@verb
def attention(
    model: Model, photo: PhotoLike, *, block: int = -1, token: str | None = None
) -> Result:
    """Where each head of a transformer's attention looks from one token: the class token, or a
    place of the photo (as the figures of DINO; Caron et al., 2021).

    `result["attention"]` (n heads h w) is the weight that the token gives to every place, in
    [0, 1]; with the weights of class and register tokens, which are no places, a head's sum to 1.
    `result["heatmap"]` (n*heads h w) is the same, as it is drawn. A row of `result.table` has a
    photo's head, the share of its attention that goes to places, and its entropy in bits: 0 where
    it looks at one token only.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        block: which of the network's attention layers, from 0; negative from the last.
        token: "class", or a pixel of the photo as "x,y", whose place is taken; by default the
            class token.

    Raises:
        OptionError: the network has no self-attention between places, fewer layers of it, or no
            class token.
        TargetError: a pixel outside of the photo, or of what the network sees.

    Example:
        convscope.attention("timm:vit_base_patch16_224", "cat.jpg", token="120,88")
        $ convscope attention cat.jpg --model timm:vit_base_patch16_224 --out heads.png
    """
    image = network_input(model, photo)
    with Probe(model) as probe, torch.no_grad():
        attentions, _ = run_with_attention(probe, image, "attention")
        weights = _chosen(probe, attentions, image, block)
        count = weights.shape[-1]
        last = count - detection_tokens(model.network)
        extra, grid = probe.layout.token_grid(last, image_size(image)) or (0, (last, 1))
    rows = [
        _token(model, token, extra, grid, (image.shape[-2], image.shape[-1])) for image in photo
    ]
    from_token = torch.stack([weights[at, :, row] for at, row in enumerate(rows)]).float()
    maps = from_token[:, :, extra:last].reshape(*from_token.shape[:2], *grid)
    heads = maps.shape[1]
    boxes = [model.preprocessing.box(*image.shape[-2:]) for image in photo]
    details = AttributionDetails(
        titles=[f"head {head}" for _ in photo for head in range(heads)],
        photo_of=[at for at in range(len(photo)) for _ in range(heads)],
        boxes=[box for box in boxes for _ in range(heads)],
        targets=[None] * (len(photo) * heads),
        method="attention",
        space="layer",
    )
    arrays = {"attention": to_numpy(maps), "heatmap": to_numpy(maps.flatten(0, 1))}
    return Result("attention", details, arrays, _rows(from_token, extra), bytes_of(photo))


def _chosen(probe: Probe, attentions: list[Attention], image: Tensor, block: int) -> Tensor:
    """The weights (n heads tokens tokens) of one layer among those whose tokens are places."""
    name = probe.model.name
    size = image_size(image)
    among_places = [
        layer.weights
        for layer in attentions
        if len(layer.weights) == len(image)
        and probe.layout.token_grid(layer.weights.shape[-1], size) is not None
    ]
    if not among_places:
        raise OptionError(
            f"{name} attends within windows or between queries only, never from one token to the"
            " whole photo; use explain with method='legrad'."
        )
    if not -len(among_places) <= block < len(among_places):
        raise OptionError(
            f"{name} has {len(among_places)} layers of attention between places, 0 to"
            f" {len(among_places) - 1}; block {block} was given."
        )
    return among_places[block]


def _token(
    model: Model,
    token: str | None,
    extra: int,
    grid: tuple[int, int],
    photo_size: tuple[int, int],
) -> int:
    """The number of the token that is asked about."""
    if token is None or token == "class":
        if not extra:
            raise OptionError(
                f"{model.name} has no class token; name a pixel of the photo, as in token='120,88'."
            )
        return 0
    place = PixelQuestion.parse(model, token).prepare(model, photo_size).place or (0.0, 0.0)
    row, column = int(place[0] * grid[0]), int(place[1] * grid[1])
    return extra + row * grid[1] + column


def _rows(weights: Tensor, extra: int) -> list[Row]:
    """A row for each photo and head."""
    entropy = -torch.special.xlogy(weights, weights).sum(2) / torch.log(torch.tensor(2.0))
    on_places = weights[:, :, extra:].sum(2)
    return [
        {
            "photo": at,
            "head": head,
            "on_places": round(float(on_places[at, head]), 4),
            "entropy": round(float(entropy[at, head]), 4),
        }
        for at in range(len(weights))
        for head in range(weights.shape[1])
    ]
