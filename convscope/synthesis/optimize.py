"""The one optimization loop: raise each image's objective, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convscope.core.progress import advance
from convscope.errors import DeadUnitError, NumericError
from convscope.probe import Probe
from convscope.probe.malloc import kept
from convscope.synthesis.objective import Objective
from convscope.synthesis.padam import Padam
from convscope.synthesis.random import Streams
from convscope.synthesis.step import Look
from convscope.synthesis.transforms import Step
from convscope.synthesis.transforms.blur import smooth

Optimizer = Literal["ascent", "adam", "nadam", "padam"]
Normalize = Literal["none", "rms", "l2", "mean_abs"]

EPSILON = 1e-5  # added to the size a gradient is divided by (Chollet)

PLATEAU = 1e-3  # a rise of less than this share of the score's range so far counts as none, for the early stop


@dataclass(frozen=True)
class Recipe:
    """How to climb. `rate` is Adam's, or the step of plain ascent; `regularizers` are (name, weight, options) and are
    subtracted; `redirect` is for how many steps closed ReLUs let the gradient through; `settle` is the share of the
    steps, at the end, in which the rate goes down to nothing; `momentum` and `memory` are Adam's decays: a shorter momentum follows the
    transforms' surprises faster, a shorter memory suits a start with large gradients, which else slow all later steps; `blur` blurs the pixels by so many
    every `blur_every` steps, growing by `blur_growth` each time; `patience` stops when no score has risen for so many steps; `tile`
    is the largest side that the network sees at once, so that memory does not grow with the image."""

    steps: int
    optimizer: Optimizer = "adam"
    rate: float = 0.05
    normalize: Normalize = "none"
    transforms: tuple[Step, ...] = ()
    regularizers: tuple[tuple[str, float, dict[str, Any]], ...] = ()
    redirect: int = 0
    settle: float = 0.0
    momentum: float = 0.9
    memory: float = 0.999
    blur: float = 0.0
    blur_every: int = 1
    blur_growth: float = 0.0
    patience: int | None = None
    snapshots: tuple[int, ...] = ()
    tile: int | None = None


@dataclass
class Ascent:
    """What came of it: the images (n c h w in [0, 1]), the score at each step (n steps; before that step), snapshots by
    step, the accumulated size of the gradient at each pixel (n h w), why it ended early, if it did, and which objectives are
    dead: their score stood still and no gradient reaches the image; such an image is plain gray."""

    image: Tensor
    score: Tensor
    snapshots: dict[int, Tensor] = field(default_factory=dict)
    transparency: Tensor | None = None
    ended: str | None = None
    dead: list[str] = field(default_factory=list)

    def living(self) -> Ascent:
        """The same; a `DeadUnitError` where every objective is dead."""
        if self.dead and len(self.dead) == len(self.image):
            raise DeadUnitError(f"{', '.join(self.dead[:5])}: no gradient reaches the image; a dead unit has no picture.")
        return self


@kept()
def ascend(
    probe: Probe,
    objectives: Sequence[Objective],
    canvas: nn.Module,
    streams: Streams,
    recipe: Recipe,
    *,
    reference: dict[str, Tensor] | None = None,
    done: Callable[[Tensor, Any], bool] | None = None,
    what: str = "ascent",
) -> Ascent:
    """Change what `canvas` holds so that each of its images scores higher on its own objective.

    Args:
        objectives: one per image.
        canvas: a parameterization.
        streams: the random numbers, one stream per image.
        recipe: how to climb.
        reference: maps of a photo by layer, for the objectives that compare with one.
        done: called after each step with the images that were looked at and the network's output; True ends the ascent.
        what: the name of the work, for progress bars.

    Raises:
        NoGradientError: no objective depends on the image.
        NumericError: a score or image came out as NaN or infinity.
        ImageError: the network cannot run on images of this size.
    """
    look = Look(probe, objectives, streams, recipe.transforms, recipe.regularizers, reference or {})
    weights = [weight for weight in canvas.parameters() if weight.requires_grad]
    own = {} if recipe.optimizer == "ascent" else {"betas": (recipe.momentum, recipe.memory)}
    optimizer: torch.optim.Optimizer = _OPTIMIZERS[recipe.optimizer](weights, recipe.rate, foreach=True, **own)
    scores: list[Tensor] = []
    found = Ascent(canvas().detach(), torch.empty(0))
    alive = torch.zeros(len(objectives), dtype=torch.bool, device=found.image.device)
    transparency = torch.zeros_like(found.image[:, 0])
    try:
        for step in range(recipe.steps):
            advance(what, step, recipe.steps)
            streams.progress = step / recipe.steps
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * min(1.0, (recipe.steps - step) / max(recipe.settle * recipe.steps, 1.0))
            optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                image = canvas()
                score, gradient = look.gradient(image.detach(), recipe.tile, redirect=step < recipe.redirect)
                # The only sign change: optimizers go down, pictures go up.
                torch.autograd.backward(image, -gradient)
            if not bool(torch.isfinite(score).all()):
                raise NumericError(f"{objectives[int((~torch.isfinite(score)).nonzero()[0])]} became NaN or infinite at step {step}.")
            alive |= look.reached
            transparency += gradient.abs().mean(1)
            _normalize(canvas, recipe.normalize)
            optimizer.step()
            with torch.no_grad():
                _after(canvas, recipe, step)
            scores.append(score.detach())
            if step + 1 in recipe.snapshots:
                found.snapshots[step + 1] = canvas().detach().clone()
            if done is not None and done(image.detach(), look.output):
                found.ended = f"done after {step + 1} steps"
                break
            if recipe.patience and _flat(scores, recipe.patience):
                found.ended = f"no rise in {recipe.patience} steps, stopped after {step + 1}"
                break
        advance(what, recipe.steps, recipe.steps)
    except KeyboardInterrupt:
        if not scores:
            raise
        found.ended = f"interrupted after {len(scores)} of {recipe.steps} steps"
    found.image = canvas().detach()
    if not bool(torch.isfinite(found.image).all()):
        raise NumericError("The image became NaN or infinite; a smaller rate may help.")
    found.score = torch.stack(scores, dim=1)
    found.transparency = transparency
    if not bool(alive.all()):  # the last step may have opened what was closed until then
        look.gradient(found.image.clone(), recipe.tile)
    dead = ~(alive | look.reached)
    found.image[dead] = 0.5
    found.dead = [str(objectives[place]) for place in dead.nonzero()[:, 0].tolist()]
    return found


_OPTIMIZERS: dict[str, Any] = {"ascent": torch.optim.SGD, "adam": torch.optim.Adam, "nadam": torch.optim.NAdam, "padam": Padam}

_SIZES: dict[str, Callable[[Tensor], Tensor]] = {
    "rms": lambda flat: flat.pow(2).mean(1).sqrt(),
    "l2": lambda flat: flat.pow(2).sum(1).sqrt(),
    "mean_abs": lambda flat: flat.abs().mean(1),
}


@torch.no_grad()
def _normalize(canvas: nn.Module, how: Normalize) -> None:
    """Divide each image's gradient by its own size."""
    for weight in canvas.parameters():
        if how != "none" and weight.grad is not None:
            size = _SIZES[how](weight.grad.flatten(1)) + (EPSILON if how == "rms" else 1e-30)
            weight.grad /= size.view(-1, *[1] * (weight.ndim - 1))


def _after(canvas: nn.Module, recipe: Recipe, step: int) -> None:
    """What happens to the pixels themselves between two steps."""
    if recipe.blur and (step + 1) % recipe.blur_every == 0:
        for weight in canvas.parameters():
            weight.copy_(smooth(weight, recipe.blur + recipe.blur_growth * (step // recipe.blur_every)))
    getattr(canvas, "project", lambda: None)()


def _flat(scores: list[Tensor], patience: int) -> bool:
    """Whether no image's best score of the last `patience` steps is above its best before."""
    if len(scores) <= 2 * patience:
        return False
    curve = torch.stack(scores)
    before, now = curve[:-patience].amax(0), curve[-patience:].amax(0)
    return bool((now - before <= PLATEAU * (before - curve[0]).abs()).all())
