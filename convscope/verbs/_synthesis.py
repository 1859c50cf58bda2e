"""What the verbs that make pictures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.photos.resize import resize_shorter_and_crop
from convscope.probe import Probe
from convscope.results.arrays import Array, Pixels, to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import Objective
from convscope.synthesis.result import OptimizationResult


def images_result(
    verb: str,
    optimization: OptimizationResult,
    details: ImagesDetails,
    photos: Sequence[Pixels] = (),
    table: Sequence[Row] = (),
) -> Result:
    """Optimized images as a verb gives them back; `details` say what was asked, why and when it
    ended is added here."""
    arrays = {
        "image": to_numpy(optimization.image),
        "score": to_numpy(optimization.score),
        "transparency": to_numpy(optimization.transparency),
    }
    steps = add_snapshots(arrays, optimization.snapshots)
    titles = [
        f"{title} (dead)" if is_dead else title
        for title, is_dead in zip(details.titles, optimization.is_dead, strict=False)
    ]
    known = replace(
        details,
        titles=titles,
        snapshots=steps,
        ended=optimization.early_stop,
        dead=optimization.dead,
        notes=notes_of(table),
    )
    return Result(verb, known, arrays, list(table), list(photos))


def add_snapshots(arrays: dict[str, Array], snapshots: Mapping[int, Tensor]) -> list[int]:
    """Put the images on the way, by step, into the arrays as `snapshot` (k n c h w in [0, 1]), if
    there are any; their steps in order."""
    steps = sorted(snapshots)
    if steps:
        images = torch.stack([snapshots[step] for step in steps])
        arrays["snapshot"] = to_numpy(images.clamp(0, 1))
    return steps


def notes_of(table: Sequence[Row]) -> list[str]:
    """What went wrong, a sentence for each row that has one."""
    return [str(row["note"]) for row in table if row.get("note")]


def title_of(objective: Objective, probe: Probe) -> str:
    """An objective as a title, with the labels of classes."""
    title = objective.title
    for term in objective.terms:
        target = term.options.get("target")
        if isinstance(target, int):
            said = "" if term.kind == "logit" else f"{term.kind} of "
            title = title.replace(f"{term.kind}({target})", f"{said}{probe.model.label(target)}")
    return title


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (n c h w) as the network would see them at that size; an opacity is left out."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def fitted(probe: Probe, photos: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Photos at a picture's size (n c h w), as the network wants them."""
    model = probe.model
    return torch.cat(
        [resize_shorter_and_crop(model.match_channels(photo), size) for photo in photos]
    ).to(model.device)


def seen_by(probe: Probe, photos: Sequence[Tensor]) -> Tensor:
    """What the network sees of photos, at its own size (n c h w in [0, 1])."""
    return torch.cat([probe.model.fit(photo) for photo in photos])


def late_layer(probe: Probe) -> str:
    """A layer in the second half of the network, where nobody chose one."""
    return probe.layers.spread(4)[-2:][0]
